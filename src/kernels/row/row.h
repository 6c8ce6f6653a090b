#pragma once

#include <cstddef>

namespace onnxrun {

// Loops over one row of floats of the selected instruction set. Sums run in chains of a fixed order, so that a
// result depends on the row alone. Thread-safe.
struct RowKernels {
  // dst[i] = max(dst[i], src[i * stride]) for i < n; a NaN in src stays.
  void (*max_strided)(float* dst, const float* src, ptrdiff_t stride, size_t n) noexcept;
  // dst[i] += src[i * stride], and -inf where that is -inf, even if dst[i] is NaN or infinity.
  void (*add_mask)(float* dst, const float* src, ptrdiff_t stride, size_t n) noexcept;
  // One vector: the sum of n of them; the largest, NaN if there is one, -inf for none.
  void (*sum_of_blocks)(const float* src, float* dst, size_t n) noexcept;
  void (*max_of_blocks)(const float* src, float* dst, size_t n) noexcept;
  // One vector: the sum of (src - shift)^2 over n of them, each lane with its shift.
  void (*square_sum_of_blocks)(const float* src, float* dst, size_t n, const float* shift) noexcept;
  // dst[i] = src[i] * scale + shift.
  void (*scale_shift)(const float* src, float* dst, size_t n, float scale, float shift) noexcept;
  // The same with a scale and a shift for each element.
  void (*scale_shift_each)(const float* src, float* dst, size_t n, const float* scale, const float* shift) noexcept;
  // The same for n vectors: each lane has its scale and its shift.
  void (*scale_shift_blocks)(const float* src, float* dst, size_t n, const float* scale, const float* shift) noexcept;
  // The sum of the row; its largest element, NaN if there is one, -inf for none.
  float (*sum)(const float* src, size_t n) noexcept;
  float (*max)(const float* src, size_t n) noexcept;
  // dst[i] = exp(src[i] - shift), 0 where that is subnormal; returns the sum of what it wrote. No element is larger
  // than shift. dst may be src. Error of exp: vec_math.h.
  float (*exp_sum)(const float* src, float* dst, size_t n, float shift) noexcept;
  // The softmax of each of `rows` rows, one behind the other; dst may be src. NaN where a row holds NaN or infinity, or
  // -infinity alone.
  void (*softmax)(const float* src, float* dst, size_t rows, size_t n) noexcept;
  // exp_sum with a shift for each element; what it wrote is added to sums.
  void (*exp_sum_each)(const float* src, float* dst, size_t n, const float* shift, float* sums) noexcept;
};

const RowKernels& row_kernels();

}  // namespace onnxrun
