#pragma once

#include <cstddef>

namespace onnxrun {

// Rows of n > 0 elements, one behind the other.
struct NormalizedRows {
  const float* src = nullptr;
  float* dst = nullptr;  // may be src
  size_t rows = 0, n = 0;
  bool is_centered = true;  // otherwise 0 is taken for the mean
  double epsilon = 0;
  const float* scale = nullptr;  // [n]
  const float* bias = nullptr;   // [n] or null
  float* mean = nullptr;         // [rows] or null, both
  float* inverse = nullptr;
};

// Loops of normalizations over one row of floats of the selected instruction set. Sums run in chains of a fixed order.
// Thread-safe.
struct NormalizeKernels {
  // The sum of (src[i] - shift)^2 for i < n.
  float (*square_sum)(const float* src, size_t n, float shift) noexcept;
  // dst[i] = (src[i] - shift) * factor * scale[i * scale_step] + bias[i * bias_step] for i < n; steps are 0 or 1, bias
  // may be null; dst may be src.
  void (*apply)(const float* src, float* dst, size_t n, float shift, float factor, const float* scale,
                ptrdiff_t scale_step, const float* bias, ptrdiff_t bias_step) noexcept;
  // dst = (src - mean) * inverse * scale + bias with inverse = 1 / sqrt(the mean of (src - mean)^2 + epsilon), for rows
  // so short that each is summed in float at once. Several rows at a time; each depends on itself alone.
  void (*rows)(const NormalizedRows& rows) noexcept;
};

const NormalizeKernels& normalize_kernels();

}  // namespace onnxrun
