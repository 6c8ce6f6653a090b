#pragma once

#include <cstdint>

#include "onnxrun/shape.h"

namespace onnxrun::ops {

// Rows of heads in a tensor: row r of head h of batch entry b begins at element begin + b * batch + h * head + r * row.
struct HeadLayout {
  int64_t batch = 0, head = 0, row = 0, begin = 0;

  // Of [batch, heads, rows, size], or of [batch, rows, heads * size].
  static HeadLayout of(const Shape& shape, int64_t heads) {
    if (shape.rank() == 4) return {shape[1] * shape[2] * shape[3], shape[2] * shape[3], shape[3]};
    return {shape[1] * shape[2], shape[2] / heads, shape[2]};
  }
  int64_t at(int64_t b, int64_t h, int64_t r) const { return begin + b * batch + h * head + r * row; }
};

}  // namespace onnxrun::ops
