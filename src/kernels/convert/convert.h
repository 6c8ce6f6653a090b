#pragma once

#include <cstddef>

#include "onnxrun/dtype.h"

namespace onnxrun {

// Elements of numeric types as those of another one, in loops for the selected instruction set. Floats are cut toward
// zero; what an integer can't hold is its nearest, NaN is zero. Nonzero is true. Thread-safe.
struct ConvertKernels {
  // dst[i] = src[i] for i < n.
  using Row = void (*)(const void* src, void* dst, size_t n) noexcept;
  // Of float32 to bools and integers, and of those to float32; null for other types.
  Row (*find)(DType from, DType to) noexcept;
};

const ConvertKernels& convert_kernels();

}  // namespace onnxrun
