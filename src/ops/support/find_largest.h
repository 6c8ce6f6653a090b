#pragma once

#include <cstdint>

#include "kernels/row/row.h"

namespace onnxrun::ops {

// The position of the first or the last largest of n > 0 floats, found again once it is known. NaN is the largest.
inline int64_t find_largest(const float* src, int64_t n, bool last) {
  const float largest = row_kernels().max(src, static_cast<size_t>(n));
  const auto is_it = [&](int64_t i) { return src[i] == largest || (largest != largest && src[i] != src[i]); };
  int64_t i = last ? n - 1 : 0;
  while (!is_it(i)) i += last ? -1 : 1;
  return i;
}

}  // namespace onnxrun::ops
