#include "kernels/attention/attention.h"

#include "kernels/simd.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {
namespace {

using VecF = Vec<float>;
constexpr size_t kLane = kLanes<float>;
constexpr size_t kRows = 4;  // queries at a time
// Vectors of a value at a time: kRows * kVectors sums stay in registers beside the operands.
#if defined(ONNXRUN_SIMD_avx512) || defined(ONNXRUN_SIMD_neon)
constexpr size_t kVectors = 4;
#else
constexpr size_t kVectors = 2;
#endif

// kCount queries against all keys.
template <size_t kCount>
void score_rows(const float* q, size_t size, const float* keys, ptrdiff_t key_stride, size_t count, float* scores,
                ptrdiff_t score_stride) noexcept {
  for (size_t j = 0; j < count; ++j) {
    const float* key = keys + static_cast<ptrdiff_t>(j) * key_stride;
    VecF sums[kCount];
    ONNXRUN_UNROLL
    for (size_t r = 0; r < kCount; ++r) sums[r] = VecF(0);
    size_t i = 0;
    for (; i + kLane <= size; i += kLane) {
      const VecF k = load(key + i);
      ONNXRUN_UNROLL
      for (size_t r = 0; r < kCount; ++r) sums[r] = fma(load(q + r * size + i), k, sums[r]);
    }
    if (i < size) {
      const VecF k = load_partial(key + i, size - i);
      ONNXRUN_UNROLL
      for (size_t r = 0; r < kCount; ++r) sums[r] = fma(load_partial(q + r * size + i, size - i), k, sums[r]);
    }
    ONNXRUN_UNROLL
    for (size_t r = 0; r < kCount; ++r) scores[static_cast<ptrdiff_t>(r) * score_stride + j] = xsimd::hadd(sums[r]);
  }
}

void score(const float* q, size_t rows, size_t size, const float* keys, ptrdiff_t key_stride, size_t count,
           float* scores, ptrdiff_t score_stride) noexcept {
  size_t r = 0;
  for (; r + kRows <= rows; r += kRows) {
    score_rows<kRows>(q + r * size, size, keys, key_stride, count, scores + static_cast<ptrdiff_t>(r) * score_stride,
                      score_stride);
  }
  for (; r < rows; ++r) {
    score_rows<1>(q + r * size, size, keys, key_stride, count, scores + static_cast<ptrdiff_t>(r) * score_stride,
                  score_stride);
  }
}

// Elements [0, columns) of kCount sums; more than (kWide - 1) vectors of them, at most kWide.
template <size_t kCount, size_t kWide>
void weigh_columns(const float* weights, ptrdiff_t weight_stride, const float* values, ptrdiff_t value_stride,
                   size_t count, size_t size, size_t columns, float* dst) noexcept {
  const size_t tail = columns - (kWide - 1) * kLane;
  const auto read = [&](const float* src, size_t v) {
    return v + 1 < kWide || tail == kLane ? load(src + v * kLane) : load_partial(src + v * kLane, tail);
  };
  VecF sums[kCount][kWide];
  ONNXRUN_UNROLL
  for (size_t r = 0; r < kCount; ++r) {
    ONNXRUN_UNROLL
    for (size_t v = 0; v < kWide; ++v) sums[r][v] = read(dst + r * size, v);
  }
  for (size_t j = 0; j < count; ++j) {
    const float* value = values + static_cast<ptrdiff_t>(j) * value_stride;
    VecF x[kWide];
    ONNXRUN_UNROLL
    for (size_t v = 0; v < kWide; ++v) x[v] = read(value, v);
    ONNXRUN_UNROLL
    for (size_t r = 0; r < kCount; ++r) {
      const VecF weight(weights[static_cast<ptrdiff_t>(r) * weight_stride + j]);
      ONNXRUN_UNROLL
      for (size_t v = 0; v < kWide; ++v) sums[r][v] = fma(weight, x[v], sums[r][v]);
    }
  }
  ONNXRUN_UNROLL
  for (size_t r = 0; r < kCount; ++r) {
    ONNXRUN_UNROLL
    for (size_t v = 0; v + 1 < kWide; ++v) store(dst + r * size + v * kLane, sums[r][v]);
    store_partial(dst + r * size + (kWide - 1) * kLane, sums[r][kWide - 1], tail);
  }
}

template <size_t kCount>
void weigh_rows(const float* weights, ptrdiff_t weight_stride, const float* values, ptrdiff_t value_stride,
                size_t count, size_t size, float* dst) noexcept {
  size_t i = 0;
  for (; i + kVectors * kLane <= size; i += kVectors * kLane) {
    weigh_columns<kCount, kVectors>(weights, weight_stride, values + i, value_stride, count, size, kVectors * kLane,
                                    dst + i);
  }
  for (; i < size; i += kLane) {
    const size_t columns = size - i < kLane ? size - i : kLane;
    weigh_columns<kCount, 1>(weights, weight_stride, values + i, value_stride, count, size, columns, dst + i);
  }
}

void weigh(const float* weights, ptrdiff_t weight_stride, size_t rows, const float* values, ptrdiff_t value_stride,
           size_t count, size_t size, float* dst) noexcept {
  size_t r = 0;
  for (; r + kRows <= rows; r += kRows) {
    weigh_rows<kRows>(weights + static_cast<ptrdiff_t>(r) * weight_stride, weight_stride, values, value_stride, count,
                      size, dst + r * size);
  }
  for (; r < rows; ++r) {
    weigh_rows<1>(weights + static_cast<ptrdiff_t>(r) * weight_stride, weight_stride, values, value_stride, count, size,
                  dst + r * size);
  }
}

}  // namespace

extern const AttentionKernels kAttentionKernels;
constexpr AttentionKernels kAttentionKernels = {score, weigh};

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
