#pragma once

#include <algorithm>
#include <cstddef>

namespace onnxrun {

// Into how many tiles a product or a convolution of so many multiply-adds is divided at best: of 5 to 20 microseconds,
// at most 64. Unless there is but one thread, which has nothing but their overhead, steps of a few microseconds have
// some.
inline size_t wanted_tiles(double multiply_adds, bool one_thread = true) {
  constexpr double kLarge = 1 << 19, kSmall = 1 << 17, kFew = 8, kMost = 64;
  const double few = one_thread ? 1 : std::min(multiply_adds / kSmall + 0.5, kFew);
  return static_cast<size_t>(std::clamp(std::max(multiply_adds / kLarge, few), 1.0, kMost));
}

}  // namespace onnxrun
