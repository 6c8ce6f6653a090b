#include "options.h"

#include <charconv>
#include <cstdio>
#include <set>

#include "onnxrun/error.h"
#include "quantity.h"

namespace onnxrun::cli {
namespace {

// Repeats an error with the model's file in front.
[[noreturn]] void rethrow_with_file(const Error& error, const std::string& file) {
  const std::string message = error.what();
  throw Error(error.code(), message.find(file) == std::string::npos ? "'" + file + "': " + message : message);
}

// "batch=8" as a name and a number.
std::pair<std::string, int64_t> parse_dim(const std::string& text) {
  const size_t equals = text.rfind('=');
  int64_t value = 0;
  const char* end = text.data() + text.size();
  if (equals != std::string::npos && equals > 0) {
    const auto [stop, error] = std::from_chars(text.data() + equals + 1, end, value);
    if (error == std::errc() && stop == end && value >= 0) return {text.substr(0, equals), value};
  }
  throw Error(ErrorCode::usage, "'" + text + "' is not a dimension: write it like batch=8");
}

// Every name that -s knows: "batch" and "input.batch".
std::set<std::string> dim_names(const Model& model) {
  std::set<std::string> names;
  for (const ValueInfo& input : model.inputs()) {
    for (const DeclaredDim& dim : input.type.dims) {
      if (dim.name.empty()) continue;
      names.insert(dim.name);
      names.insert(input.name + "." + dim.name);
    }
  }
  return names;
}

}  // namespace

void add_session_options(CLI::App& app, ModelOptions& options) {
  app.add_option("-t,--threads", options.session.threads, "Threads that one run may use; 0: all")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--opt", options.session.opt_level,
                 "0 as it stands, 1 fold, 2 fuse and lay out, 3 what costs load time")
      ->check(CLI::Range(0, 3))
      ->capture_default_str();
  app.add_option("--disable-pass", options.session.disabled_passes, "Leave a pass out (repeatable)")
      ->type_name("NAME")
      ->allow_extra_args(false);
  app.add_option_function<std::string>(
         "--precision",
         [&options](const std::string& name) {
           options.session.precision = name == "strict" ? Precision::strict : Precision::standard;
         },
         "strict: sums in ascending order, no fast algorithms")
      ->check(CLI::IsMember({"strict", "default"}));
  app.add_flag("--keep-denormals", options.session.keep_denormals, "Never flush subnormal numbers to zero");
  app.add_option_function<std::string>(
         "--weights",
         [&options](const std::string& name) {
           options.load.weights = name == "read" ? WeightMode::read : WeightMode::map;
         },
         "Map the model's file, or read a copy of it")
      ->check(CLI::IsMember({"map", "read"}));
  app.add_option("--cache", options.session.cache_directory, "Keep packed weights in this folder for the next session")
      ->type_name("DIR");
  app.add_option_function<std::string>(
         "--memory-limit", [&options](const std::string& text) { options.session.memory_limit = parse_size(text); },
         "Memory for constants, intermediate values and outputs, like 512M")
      ->type_name("SIZE");
  app.add_option_function<std::string>(
         "--timeout", [&options](const std::string& text) { options.run.timeout = parse_duration(text); },
         "Stop a run that takes longer, like 2s")
      ->type_name("TIME");
  app.add_flag("--allow-newer", options.load.allow_newer, "Accept a format newer than this program knows");
  app.add_option_function<uint64_t>(
      "--seed", [&options](uint64_t seed) { options.session.seed = options.seed = seed; },
      "Seed of random inputs, 0 by default, and of random operators that have none");
  app.add_flag("--json", options.json, "Results as JSON");
  app.add_flag("-v,--verbose", options.verbose, "Say more on stderr");
  app.add_flag("-q,--quiet", options.quiet, "Say nothing on stderr but errors");
}

void add_model_options(CLI::App& app, ModelOptions& options) {
  app.add_option("MODEL", options.model, "The .onnx file")->required();
  app.add_option("-s,--dim", options.dims, "A symbolic dimension, of one input with INPUT.DIM (repeatable)")
      ->type_name("DIM=N")
      ->allow_extra_args(false);
  add_session_options(app, options);
}

void note(const ModelOptions& options, const std::string& text) {
  if (!options.quiet) std::fprintf(stderr, "onnxrun: %s\n", text.c_str());
}

Model load_model(const ModelOptions& options) {
  try {
    Model model = Model::load(options.model, options.load);
    for (const std::string& warning : model.warnings()) note(options, "warning: " + warning);
    return model;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::io) throw Error(ErrorCode::usage, error.what());
    rethrow_with_file(error, options.model);
  }
}

Session make_session(const Model& model, ModelOptions& options) {
  const std::set<std::string> known = dim_names(model);
  for (const std::string& text : options.dims) {
    const auto [name, value] = parse_dim(text);
    if (!known.count(name)) {
      throw Error(ErrorCode::usage, "the inputs of '" + options.model + "' have no dimension '" + name + "'");
    }
    options.session.dims[name] = value;
  }
  try {
    Session session(model, options.session);
    for (const std::string& warning : session.info().warnings) note(options, "warning: " + warning);
    return session;
  } catch (const Error& error) {
    rethrow_with_file(error, options.model);
  }
}

std::vector<Value> run_session(const Session& session, std::span<const Value> inputs, const ModelOptions& options) {
  try {
    return session.run(inputs, options.run);
  } catch (const Error& error) {
    rethrow_with_file(error, options.model);
  }
}

void note_session(const Session& session, const ModelOptions& options) {
  if (!options.verbose) return;
  const SessionInfo info = session.info();
  char text[128];
  std::snprintf(text, sizeof text, "loaded in %.1f ms, %d threads, %s", info.load_milliseconds, info.threads,
                info.isa.c_str());
  note(options, text);
  const std::string cached = info.cached_bytes > 0 ? " (" + size_text(info.cached_bytes) + " cached)" : "";
  note(options, "packed weights " + size_text(info.packed_bytes) + cached + ", folded constants " +
                    size_text(info.constant_bytes) + ", arena " + size_text(info.arena_bytes));
  for (const PassReport& pass : info.passes) {
    std::snprintf(text, sizeof text, "pass %-28s %7.2f ms %5d changes%s", pass.name.c_str(), pass.milliseconds,
                  pass.changes, pass.enabled ? "" : " (off)");
    note(options, text);
  }
}

}  // namespace onnxrun::cli
