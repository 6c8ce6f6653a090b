#pragma once

#include <cstddef>

namespace onnxrun {

// Loops of normalizations over one row of floats of the selected instruction set. Sums run in chains of a fixed order.
// Thread-safe.
struct NormalizeKernels {
  // The sum of (src[i] - shift)^2 for i < n.
  float (*square_sum)(const float* src, size_t n, float shift) noexcept;
  // dst[i] = (src[i] - shift) * factor * scale[i * scale_step] + bias[i * bias_step] for i < n; steps are 0 or 1, bias
  // may be null; dst may be src.
  void (*apply)(const float* src, float* dst, size_t n, float shift, float factor, const float* scale,
                ptrdiff_t scale_step, const float* bias, ptrdiff_t bias_step) noexcept;
};

const NormalizeKernels& normalize_kernels();

}  // namespace onnxrun
