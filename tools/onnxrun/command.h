#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "onnxrun/error.h"

namespace onnxrun::cli {

enum ExitCode {
  kOk = 0,
  kCheckFailed = 1,  // outside tolerance, or a check found errors
  kUsage = 2,
  kInvalidModel = 3,
  kUnsupportedOperator = 4,
  kBadInput = 5,
  kRunFailed = 6,
  kLimit = 7,
  kInterrupted = 130,
};

ExitCode exit_code(ErrorCode code);

// A subcommand: its options, which belong to the root application, and what it does, giving the exit code.
struct Command {
  CLI::App* app;
  std::function<int()> action;
};

Command add_run(CLI::App& root);
Command add_bench(CLI::App& root);
Command add_profile(CLI::App& root);
Command add_inspect(CLI::App& root);
Command add_conformance(CLI::App& root);
Command add_eval(CLI::App& root);
Command add_operators(CLI::App& root);

}  // namespace onnxrun::cli
