// A square of vectors, transposed; only ISA files include it.
#pragma once

#include <utility>

#include "kernels/simd.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {

inline constexpr size_t kSquare = kLanes<float>;

// transpose_square: dst[c * dst_step + r] = src[r * src_step + c] for r, c < kSquare.
#if defined(ONNXRUN_SIMD_avx2)
// The halves of rows i and i + 4 are loaded beside each other, so that squares of 4 x 4 within the halves of registers
// are all that is left to turn.
ONNXRUN_INLINE void transpose_square(const float* src, ptrdiff_t src_step, float* dst, ptrdiff_t dst_step) noexcept {
  ONNXRUN_UNROLL
  for (ptrdiff_t half = 0; half < 2; ++half, src += 4, dst += 4 * dst_step) {
    const auto rows = [&](ptrdiff_t i) ONNXRUN_INLINE_LAMBDA {
      return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(src + i * src_step)),
                                  _mm_loadu_ps(src + (i + 4) * src_step), 1);
    };
    const __m256d a = _mm256_castps_pd(_mm256_unpacklo_ps(rows(0), rows(1)));
    const __m256d b = _mm256_castps_pd(_mm256_unpackhi_ps(rows(0), rows(1)));
    const __m256d c = _mm256_castps_pd(_mm256_unpacklo_ps(rows(2), rows(3)));
    const __m256d d = _mm256_castps_pd(_mm256_unpackhi_ps(rows(2), rows(3)));
    _mm256_storeu_ps(dst, _mm256_castpd_ps(_mm256_unpacklo_pd(a, c)));
    _mm256_storeu_ps(dst + dst_step, _mm256_castpd_ps(_mm256_unpackhi_pd(a, c)));
    _mm256_storeu_ps(dst + 2 * dst_step, _mm256_castpd_ps(_mm256_unpacklo_pd(b, d)));
    _mm256_storeu_ps(dst + 3 * dst_step, _mm256_castpd_ps(_mm256_unpackhi_pd(b, d)));
  }
}
#elif defined(ONNXRUN_SIMD_avx512)
// The same with quarters, of rows i, i + 4, i + 8 and i + 12.
ONNXRUN_INLINE void transpose_square(const float* src, ptrdiff_t src_step, float* dst, ptrdiff_t dst_step) noexcept {
  ONNXRUN_UNROLL
  for (ptrdiff_t quarter = 0; quarter < 4; ++quarter, src += 4, dst += 4 * dst_step) {
    const auto rows = [&](ptrdiff_t i) ONNXRUN_INLINE_LAMBDA {
      const auto row = [&](ptrdiff_t r) ONNXRUN_INLINE_LAMBDA { return _mm_loadu_ps(src + r * src_step); };
      const __m512 one = _mm512_insertf32x4(_mm512_castps128_ps512(row(i)), row(i + 4), 1);
      return _mm512_insertf32x4(_mm512_insertf32x4(one, row(i + 8), 2), row(i + 12), 3);
    };
    const __m512 r0 = rows(0), r1 = rows(1), r2 = rows(2), r3 = rows(3);
    const __m512d a = _mm512_castps_pd(_mm512_unpacklo_ps(r0, r1));
    const __m512d b = _mm512_castps_pd(_mm512_unpackhi_ps(r0, r1));
    const __m512d c = _mm512_castps_pd(_mm512_unpacklo_ps(r2, r3));
    const __m512d d = _mm512_castps_pd(_mm512_unpackhi_ps(r2, r3));
    _mm512_storeu_ps(dst, _mm512_castpd_ps(_mm512_unpacklo_pd(a, c)));
    _mm512_storeu_ps(dst + dst_step, _mm512_castpd_ps(_mm512_unpackhi_pd(a, c)));
    _mm512_storeu_ps(dst + 2 * dst_step, _mm512_castpd_ps(_mm512_unpacklo_pd(b, d)));
    _mm512_storeu_ps(dst + 3 * dst_step, _mm512_castpd_ps(_mm512_unpackhi_pd(b, d)));
  }
}
#else
// The elements of two vectors in turn, from the first half or from the second.
template <size_t kFirst, size_t... kLane>
ONNXRUN_INLINE Vec<float> deal(const Vec<float>& a, const Vec<float>& b, std::index_sequence<kLane...>) noexcept {
  return Vec<float>(__builtin_shufflevector(a.data, b.data, (kLane % 2 * kSquare + kLane / 2 + kFirst)...));
}

// Each round deals row i and row i + kSquare / 2 into each other.
ONNXRUN_INLINE void transpose_square(const float* src, ptrdiff_t src_step, float* dst, ptrdiff_t dst_step) noexcept {
  Vec<float> rows[kSquare];
  ONNXRUN_UNROLL
  for (size_t i = 0; i < kSquare; ++i) rows[i] = load(src + static_cast<ptrdiff_t>(i) * src_step);
  ONNXRUN_UNROLL
  for (size_t round = 1; round < kSquare; round *= 2) {
    Vec<float> dealt[kSquare];
    ONNXRUN_UNROLL
    for (size_t i = 0; i < kSquare / 2; ++i) {
      dealt[2 * i] = deal<0>(rows[i], rows[i + kSquare / 2], std::make_index_sequence<kSquare>());
      dealt[2 * i + 1] = deal<kSquare / 2>(rows[i], rows[i + kSquare / 2], std::make_index_sequence<kSquare>());
    }
    ONNXRUN_UNROLL
    for (size_t i = 0; i < kSquare; ++i) rows[i] = dealt[i];
  }
  ONNXRUN_UNROLL
  for (size_t i = 0; i < kSquare; ++i) store(dst + static_cast<ptrdiff_t>(i) * dst_step, rows[i]);
}
#endif

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
