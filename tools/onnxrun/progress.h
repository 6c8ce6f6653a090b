#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace onnxrun::cli {

// A bar on stderr, where that is a terminal, for work that takes over a second. Gone when it ends.
class Progress {
 public:
  Progress(std::string label, size_t total, bool quiet);
  ~Progress() { clear(); }

  void update(size_t done);
  void clear();

 private:
  using Clock = std::chrono::steady_clock;

  std::string label_;
  size_t total_;
  bool enabled_;
  bool shown_ = false;
  Clock::time_point next_;
};

}  // namespace onnxrun::cli
