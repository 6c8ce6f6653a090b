#pragma once

#include <cstddef>
#include <cstdint>

#include "onnxrun/dtype.h"

namespace onnxrun {

// Elementwise functions of two operands. Integers wrap around; an integer divided by zero is zero; NaN compares as IEEE
// 754 says and passes through max and min.
enum class BinaryKind : uint8_t {
  add,
  sub,
  mul,
  div,
  max,
  min,
  prelu,  // a < 0 ? a b : a
  equal,
  less,
  less_or_equal,
  greater,
  greater_or_equal,
};
inline constexpr int kBinaryKindCount = static_cast<int>(BinaryKind::greater_or_equal) + 1;

// out[i] = f(a[i * a_step], b[i * b_step]) for i < n. Steps are 0 or 1; `out` may be `a` or `b` where their step is 1.
// Comparisons write bytes 0 or 1, the others elements of the operands' type.
using BinaryRowKernel = void (*)(const void* a, ptrdiff_t a_step, const void* b, ptrdiff_t b_step, void* out,
                                 size_t n) noexcept;

// The row function of the selected instruction set; null where there is none: every kind exists for float32, float64
// and all integers, `equal` also for bool. Thread-safe.
BinaryRowKernel binary_row(BinaryKind kind, DType dtype);

}  // namespace onnxrun
