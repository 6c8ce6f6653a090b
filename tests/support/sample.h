#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace onnxrun {

// Numbers without a pattern in [-2, 2), exact in float16 but for their last bits.
inline std::vector<double> sample(size_t count, uint32_t seed) {
  std::vector<double> values(count);
  for (double& value : values) {
    seed = seed * 1664525 + 1013904223;
    value = static_cast<double>(seed >> 20) / 1024 - 2;
  }
  return values;
}

}  // namespace onnxrun
