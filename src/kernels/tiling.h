#pragma once

#include <algorithm>
#include <cstddef>

namespace onnxrun {

// Into how many tiles a product or a convolution of so many multiply-adds is divided at best. Several threads share
// steps of a few microseconds; one thread has nothing but their overhead. Large work has tiles of 5 to 20 microseconds,
// at most 64.
inline size_t wanted_tiles(double multiply_adds, bool one_thread) {
  constexpr double kLarge = 1 << 19, kSmall = 1 << 17, kFew = 8, kMost = 64;
  const double few = one_thread ? 1 : std::min(multiply_adds / kSmall + 0.5, kFew);
  return static_cast<size_t>(std::clamp(std::max(multiply_adds / kLarge, few), 1.0, kMost));
}

}  // namespace onnxrun
