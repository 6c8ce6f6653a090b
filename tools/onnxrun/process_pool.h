#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace onnxrun::cli {

// What came of a piece of work in a process of its own.
struct ProcessResult {
  enum class End { returned, crashed, timed_out };

  End end = End::returned;
  std::string text;  // what the work returned; where it crashed, how
};

// Runs `work(0)` to `work(count - 1)`, each in a process of its own, at most `jobs` at a time, so that a crash or a
// hang of one harms no other; calls `done` in this process as they end, in any order. The work's text should be short.
// Call it from a process with one thread. \throws Error(run_failed) where no process can be started.
void run_in_processes(size_t count, size_t jobs, std::chrono::nanoseconds timeout,
                      const std::function<std::string(size_t)>& work,
                      const std::function<void(size_t, const ProcessResult&)>& done);

}  // namespace onnxrun::cli
