#pragma once

#include <cstdint>

#include "onnxrun/tensor.h"

namespace onnxrun::ops {

// Positions [begin, begin + count) of `src` along `axis`, for every element type.
Tensor copy_part(const TensorView& src, size_t axis, int64_t begin, int64_t count);

// Writes `src` to positions [begin, begin + extent) along `axis` of a tensor of shape `target`, whose other extents are
// those of `src`.
void copy_into(const TensorView& src, size_t axis, void* dst, const Shape& target, int64_t begin);

}  // namespace onnxrun::ops
