#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "onnxrun/session.h"

namespace onnxrun::cli {

// The options that every subcommand with a model takes.
struct ModelOptions {
  std::string model;
  SessionOptions session;
  LoadOptions load;
  RunOptions run;
  std::vector<std::string> dims;  // "batch=8"
  uint64_t seed = 0;
  bool verbose = false;
  bool quiet = false;
  bool json = false;
};

// Adds everything but the model itself. `options` must outlive the parsing.
void add_session_options(CLI::App& app, ModelOptions& options);

// Adds the model too.
void add_model_options(CLI::App& app, ModelOptions& options);

// Writes "onnxrun: ..." to stderr, unless --quiet.
void note(const ModelOptions& options, const std::string& text);

// Errors name the file. \throws Error(usage) where there is no such file.
Model load_model(const ModelOptions& options);

// Compiles the model under the options, with the dimensions of -s. \throws Error(usage) for a dimension that the model
// does not have.
Session make_session(const Model& model, ModelOptions& options);

// Runs the model; errors name its file.
std::vector<Value> run_session(const Session& session, std::span<const Value> inputs, const ModelOptions& options);

// What the session came to: processor, threads, memory, passes; to stderr, with --verbose.
void note_session(const Session& session, const ModelOptions& options);

}  // namespace onnxrun::cli
