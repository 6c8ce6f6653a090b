#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <new>
#include <string>
#include <vector>

#include "command.h"
#include "onnxrun/version.h"

namespace onnxrun::cli {
namespace {

void report(const std::string& message) {
  std::string line = message;
  for (char& c : line) {
    if (c == '\n') c = ' ';
  }
  std::fprintf(stderr, "onnxrun: error: %s\n", line.c_str());
}

// The arguments with "run" in front where no subcommand is named, in the reverse order that CLI11 takes.
std::vector<std::string> arguments(int argc, char** argv, const std::vector<Command>& commands) {
  std::vector<std::string> args(argv + 1, argv + argc);
  const auto is_root_option = [](const std::string& arg) {
    return arg == "-h" || arg == "--help" || arg == "-V" || arg == "--version";
  };
  bool named = args.empty() || is_root_option(args[0]);
  for (const Command& command : commands) named = named || args[0] == command.app->get_name();
  if (!named) args.insert(args.begin(), "run");
  return {args.rbegin(), args.rend()};
}

int run_command(CLI::App& root, const std::vector<Command>& commands, int argc, char** argv) {
  try {
    root.parse(arguments(argc, argv, commands));
    for (const Command& command : commands) {
      if (command.app->parsed()) return command.action();
    }
    std::cout << root.help();
    return kOk;
  } catch (const CLI::Success& request) {
    return root.exit(request);
  } catch (const CLI::ParseError& error) {
    report(std::string(error.what()) + " (see 'onnxrun --help')");
    return kUsage;
  }
}

}  // namespace

ExitCode exit_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::usage:
      return kUsage;
    case ErrorCode::invalid_model:
      return kInvalidModel;
    case ErrorCode::unsupported_operator:
      return kUnsupportedOperator;
    case ErrorCode::invalid_input:
      return kBadInput;
    case ErrorCode::run_failed:
    case ErrorCode::io:
      return kRunFailed;
    case ErrorCode::limit:
      return kLimit;
    case ErrorCode::cancelled:
      return kInterrupted;
  }
  return kRunFailed;
}

int main(int argc, char** argv) {
  std::signal(SIGINT, [](int) { _exit(kInterrupted); });
  CLI::App root("Runs ONNX models on the processor.", "onnxrun");
  root.set_version_flag("-V,--version", "onnxrun " + std::string(version()));
  root.require_subcommand(0, 1);
  root.option_defaults()->always_capture_default(false);
  const std::vector<Command> commands = {add_run(root),         add_bench(root), add_profile(root),  add_inspect(root),
                                         add_conformance(root), add_eval(root),  add_operators(root)};
  try {
    const int status = run_command(root, commands, argc, argv);
    std::cout.flush();
    if (std::fflush(stdout) != 0 || !std::cout) {
      report("cannot write the results: " + std::string(std::strerror(errno)));
      return kRunFailed;
    }
    return status;
  } catch (const Error& error) {
    report(error.what());
    return exit_code(error.code());
  } catch (const std::bad_alloc&) {
    report("out of memory");
    return kLimit;
  } catch (const std::exception& error) {
    report(error.what());
    return kRunFailed;
  }
}

}  // namespace onnxrun::cli

int main(int argc, char** argv) { return onnxrun::cli::main(argc, argv); }
