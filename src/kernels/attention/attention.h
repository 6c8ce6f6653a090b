#pragma once

#include <cstddef>

namespace onnxrun {

// Products of a few rows by a matrix that is read once as it lies: those of attention for a few queries, by keys and by
// values. Every sum runs in chains that depend on `size` alone (score) or in the order of the values (weigh).
// Thread-safe.
struct AttentionKernels {
  // scores[r * score_stride + j] = q[r] k[j] for r < rows, j < count; q is [rows, size], keys begin key_stride apart.
  void (*score)(const float* q, size_t rows, size_t size, const float* keys, ptrdiff_t key_stride, size_t count,
                float* scores, ptrdiff_t score_stride) noexcept;
  // dst[r] += the sum of weights[r * weight_stride + j] v[j] over j < count; dst is [rows, size].
  void (*weigh)(const float* weights, ptrdiff_t weight_stride, size_t rows, const float* values, ptrdiff_t value_stride,
                size_t count, size_t size, float* dst) noexcept;
};

const AttentionKernels& attention_kernels();

}  // namespace onnxrun
