#include "progress.h"

#include <unistd.h>

#include <cstdio>

namespace onnxrun::cli {

Progress::Progress(std::string label, size_t total, bool quiet)
    : label_(std::move(label)),
      total_(total),
      enabled_(!quiet && total > 0 && isatty(STDERR_FILENO)),
      next_(Clock::now() + std::chrono::seconds(1)) {}

void Progress::update(size_t done) {
  if (!enabled_ || Clock::now() < next_) return;
  constexpr size_t kWidth = 30;
  const size_t filled = done * kWidth / total_;
  const std::string bar = std::string(filled, '#') + std::string(kWidth - filled, '.');
  std::fprintf(stderr, "\r\033[K%s [%s] %zu/%zu", label_.c_str(), bar.c_str(), done, total_);
  std::fflush(stderr);
  shown_ = true;
  next_ = Clock::now() + std::chrono::milliseconds(100);
}

void Progress::clear() {
  if (shown_) std::fputs("\r\033[K", stderr);
  shown_ = false;
}

}  // namespace onnxrun::cli
