#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <thread>

#include "command.h"
#include "conformance_suite.h"
#include "onnxrun/io.h"
#include "options.h"
#include "process_pool.h"
#include "progress.h"
#include "random_outputs.h"

namespace onnxrun::cli {
namespace {

namespace fs = std::filesystem;

struct ConformanceCommand {
  ModelOptions model;
  std::vector<std::string> folders;
  Tolerance tolerance;
  std::string filter;
  size_t jobs = std::max(1U, std::thread::hardware_concurrency());
};

constexpr std::chrono::seconds kDefaultTimeout{300};

enum class Status { passed, failed, skipped };
constexpr const char* kStatusNames[] = {"passed", "failed", "skipped"};

struct Outcome {
  Status status = Status::passed;
  std::string message;
};

std::vector<fs::path> data_sets(const fs::path& folder) {
  std::vector<fs::path> sets;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory() && entry.path().filename().string().starts_with("test_data_set_")) {
      sets.push_back(entry.path());
    }
  }
  std::sort(sets.begin(), sets.end());
  return sets;
}

// Test data that contradicts the model that it belongs to.
struct UnusableData {
  std::string why;
};

// Data written before numpy knew bfloat16 holds it as uint16, broadcast as it happened to be.
Value usable(Value value, const ValueType& type) {
  const bool misses_type =
      value.is_tensor() && value.tensor().dtype() == DType::uint16 && type.dtype == DType::bfloat16;
  if (misses_type) throw UnusableData{"its data stores bfloat16 as uint16"};
  return value;
}

// input_0.pb, input_1.pb, ... or output_0.pb, ... as the declared types say.
std::vector<Value> read_values(const fs::path& set, const std::string& stem, const std::vector<ValueInfo>& infos) {
  std::vector<Value> values;
  for (size_t i = 0; i < infos.size(); ++i) {
    const ValueType& type = infos[i].type;
    values.push_back(usable(read_value_pb(set / (stem + "_" + std::to_string(i) + ".pb"), type.kind), type));
  }
  return values;
}

// What is wrong with one data set; empty where nothing is.
std::string check_set(const Session& session, const ConformanceTest& test, const fs::path& set,
                      const RunOptions& options) {
  const std::vector<Value> inputs = read_values(set, "input", session.inputs());
  const std::vector<Value> expected = read_values(set, "output", session.outputs());
  const std::vector<Value> outputs = session.run(inputs, options);
  const bool random = has_random_outputs(test.name);
  for (size_t i = 0; i < expected.size(); ++i) {
    const std::string wrong =
        random ? type_difference(outputs.at(i), expected[i]) : difference(outputs.at(i), expected[i], test.tolerance);
    if (!wrong.empty()) return set.filename().string() + ": output '" + session.outputs()[i].name + "': " + wrong;
  }
  return "";
}

Outcome run_test(const ConformanceTest& test, const ConformanceCommand& command) {
  try {
    const Session session(Model::load(test.folder / "model.onnx", command.model.load), command.model.session);
    const std::vector<fs::path> sets = data_sets(test.folder);
    if (sets.empty()) return {Status::skipped, "no test data"};
    for (const fs::path& set : sets) {
      const std::string wrong = check_set(session, test, set, command.model.run);
      if (!wrong.empty()) return {Status::failed, wrong};
    }
    return {};
  } catch (const UnusableData& data) {
    return {Status::skipped, data.why};
  } catch (const Error& error) {
    const bool unsupported = error.code() == ErrorCode::unsupported_operator;
    return {unsupported ? Status::skipped : Status::failed, error.what()};
  } catch (const std::exception& error) {
    return {Status::failed, error.what()};
  }
}

// An outcome on its way between processes: a digit and the message.
std::string encode(const Outcome& outcome) {
  return std::to_string(static_cast<int>(outcome.status)) + outcome.message;
}

Outcome decode(const ProcessResult& result) {
  if (result.end == ProcessResult::End::timed_out) return {Status::failed, "timed out"};
  if (result.end == ProcessResult::End::crashed) return {Status::failed, "crashed: " + result.text};
  if (result.text.empty()) return {Status::failed, "crashed"};
  return {static_cast<Status>(result.text[0] - '0'), result.text.substr(1)};
}

std::vector<ConformanceTest> selected_tests(const ConformanceCommand& command) {
  std::vector<ConformanceTest> tests;
  std::set<fs::path> seen;
  std::regex filter;
  try {
    filter = std::regex(command.filter);
  } catch (const std::regex_error&) {
    throw Error(ErrorCode::usage, "'" + command.filter + "' is not a regular expression");
  }
  for (const std::string& folder : command.folders) {
    for (ConformanceTest& test : find_tests(folder, command.tolerance)) {
      const bool wanted = std::regex_search(test.suite + "/" + test.name, filter);
      if (wanted && seen.insert(test.folder).second) tests.push_back(std::move(test));
    }
  }
  return tests;
}

void print(const ConformanceCommand& command, const std::vector<ConformanceTest>& tests,
           const std::vector<Outcome>& outcomes, const size_t (&counts)[3]) {
  if (command.model.json) {
    nlohmann::ordered_json json = {{"schema", 1}, {"passed", counts[0]}, {"failed", counts[1]}, {"skipped", counts[2]}};
    auto& list = json["tests"] = nlohmann::ordered_json::array();
    for (size_t i = 0; i < tests.size(); ++i) {
      list.push_back({{"suite", tests[i].suite},
                      {"name", tests[i].name},
                      {"status", kStatusNames[static_cast<int>(outcomes[i].status)]},
                      {"message", outcomes[i].message}});
    }
    std::printf("%s\n", json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
    return;
  }
  for (size_t i = 0; i < tests.size(); ++i) {
    const Status status = outcomes[i].status;
    if (status == Status::passed || (status == Status::skipped && !command.model.verbose)) continue;
    std::printf("%s %s/%s: %s\n", kStatusNames[static_cast<int>(status)], tests[i].suite.c_str(), tests[i].name.c_str(),
                outcomes[i].message.c_str());
  }
  std::printf("%zu passed, %zu failed, %zu skipped\n", counts[0], counts[1], counts[2]);
}

int conformance(ConformanceCommand& command) {
  const std::vector<ConformanceTest> tests = selected_tests(command);
  const auto timeout = command.model.run.timeout.count() > 0 ? command.model.run.timeout : kDefaultTimeout;
  std::vector<Outcome> outcomes(tests.size());
  size_t finished = 0;
  Progress progress("conformance", tests.size(), command.model.quiet);
  run_in_processes(
      tests.size(), command.jobs, timeout, [&](size_t i) { return encode(run_test(tests[i], command)); },
      [&](size_t i, const ProcessResult& result) {
        outcomes[i] = decode(result);
        progress.update(++finished);
      });
  progress.clear();
  size_t counts[3] = {};
  for (const Outcome& outcome : outcomes) ++counts[static_cast<int>(outcome.status)];
  print(command, tests, outcomes, counts);
  return counts[static_cast<int>(Status::failed)] > 0 ? kCheckFailed : kOk;
}

}  // namespace

Command add_conformance(CLI::App& root) {
  auto command = std::make_shared<ConformanceCommand>();
  command->model.session.threads = 1;
  CLI::App* app = root.add_subcommand("conformance", "Run folders of ONNX backend tests, each in a process of its own");
  app->add_option("DIR", command->folders, "Test folders, suites, or folders of suites")->required();
  app->add_option("--rtol", command->tolerance.rtol, "Relative tolerance where index.tsv gives none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app->add_option("--atol", command->tolerance.atol, "Absolute tolerance where index.tsv gives none")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app->add_option("--filter", command->filter, "Only tests whose SUITE/TEST matches")->type_name("REGEX");
  app->add_option("--jobs", command->jobs, "Tests at the same time")->check(CLI::PositiveNumber)->capture_default_str();
  add_session_options(*app, command->model);
  return {app, [command] { return conformance(*command); }};
}

}  // namespace onnxrun::cli
