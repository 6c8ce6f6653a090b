#include "kernels/attention/attention.h"

#include "kernels/simd.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {
namespace {

using VecF = Vec<float>;
constexpr size_t kLane = kLanes<float>;
constexpr size_t kRows = 4;  // queries at a time
// Vectors of a value at a time for four queries: their sums stay in registers beside the operands.
#if defined(ONNXRUN_SIMD_avx512) || defined(ONNXRUN_SIMD_neon)
constexpr size_t kVectors = 4;
#else
constexpr size_t kVectors = 2;
#endif
constexpr size_t kStretch = 32;  // values at a time where they are wide: what is read stays in a few pages

// sums[i] = x y[i] by lanes, over `size` elements.
template <size_t kCount>
ONNXRUN_INLINE void multiply(const float* x, const float* const (&y)[kCount], size_t size,
                             VecF (&sums)[kCount]) noexcept {
  ONNXRUN_UNROLL
  for (size_t k = 0; k < kCount; ++k) sums[k] = VecF(0);
  size_t i = 0;
  for (; i + kLane <= size; i += kLane) {
    const VecF factor = load(x + i);
    ONNXRUN_UNROLL
    for (size_t k = 0; k < kCount; ++k) sums[k] = fma(factor, load(y[k] + i), sums[k]);
  }
  if (i == size) return;
  const VecF factor = load_partial(x + i, size - i);
  ONNXRUN_UNROLL
  for (size_t k = 0; k < kCount; ++k) sums[k] = fma(factor, load_partial(y[k] + i, size - i), sums[k]);
}

// kRows queries against one key at a time.
void score_rows(const float* q, size_t size, const float* keys, ptrdiff_t key_stride, size_t count, float* scores,
                ptrdiff_t score_stride) noexcept {
  const float* rows[kRows];
  for (size_t r = 0; r < kRows; ++r) rows[r] = q + r * size;
  for (size_t j = 0; j < count; ++j, keys += key_stride) {
    VecF sums[kRows];
    multiply(keys, rows, size, sums);
    ONNXRUN_UNROLL
    for (size_t r = 0; r < kRows; ++r) scores[static_cast<ptrdiff_t>(r) * score_stride + j] = xsimd::hadd(sums[r]);
  }
}

// One query against as many keys at a time as a vector has lanes, which sums them up.
void score_row(const float* q, size_t size, const float* keys, ptrdiff_t key_stride, size_t count,
               float* scores) noexcept {
  for (size_t j = 0; j < count; j += kLane) {
    const size_t some = count - j < kLane ? count - j : kLane;
    const float* key[kLane];  // beyond the end the last one again
    for (size_t v = 0; v < kLane; ++v)
      key[v] = keys + static_cast<ptrdiff_t>(j + (v < some ? v : some - 1)) * key_stride;
    VecF sums[kLane];
    multiply(q, key, size, sums);
    store_partial(scores + j, sums_of_lanes(sums), some);
  }
}

void score(const float* q, size_t rows, size_t size, const float* keys, ptrdiff_t key_stride, size_t count,
           float* scores, ptrdiff_t score_stride) noexcept {
  size_t r = 0;
  for (; r + kRows <= rows; r += kRows, q += kRows * size, scores += kRows * score_stride) {
    score_rows(q, size, keys, key_stride, count, scores, score_stride);
  }
  for (; r < rows; ++r, q += size, scores += score_stride) {
    score_row(q, size, keys, key_stride, count, scores);
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
  constexpr size_t kWide = kVectors * kRows / kCount;
  const size_t stretch = size > kWide * kLane ? kStretch : count;
  for (size_t j = 0; j < count; j += stretch) {
    const size_t some = count - j < stretch ? count - j : stretch;
    size_t i = 0;
    for (; i + kWide * kLane <= size; i += kWide * kLane) {
      weigh_columns<kCount, kWide>(weights, weight_stride, values + i, value_stride, some, size, kWide * kLane,
                                   dst + i);
    }
    for (; i < size; i += kLane) {
      const size_t columns = size - i < kLane ? size - i : kLane;
      weigh_columns<kCount, 1>(weights, weight_stride, values + i, value_stride, some, size, columns, dst + i);
    }
    weights += stretch;
    values += static_cast<ptrdiff_t>(stretch) * value_stride;
  }
}

void weigh(const float* weights, ptrdiff_t weight_stride, size_t rows, const float* values, ptrdiff_t value_stride,
           size_t count, size_t size, float* dst) noexcept {
  const auto each = [&]<size_t kCount>() {
    for (; rows >= kCount; rows -= kCount, weights += kCount * weight_stride, dst += kCount * size) {
      weigh_rows<kCount>(weights, weight_stride, values, value_stride, count, size, dst);
    }
  };
  each.template operator()<kRows>();
  each.template operator()<2>();
  each.template operator()<1>();
}

}  // namespace

extern const AttentionKernels kAttentionKernels;
constexpr AttentionKernels kAttentionKernels = {score, weigh};

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
