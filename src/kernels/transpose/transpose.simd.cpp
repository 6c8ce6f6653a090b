#include "kernels/transpose/transpose.h"

#include <utility>

#include "kernels/simd.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {
namespace {

constexpr size_t kWidth = kLanes<float>;

#if defined(ONNXRUN_SIMD_avx2)
// A square of vectors. The halves of rows i and i + 4 are loaded beside each other, so that squares of 4 x 4 within the
// halves of registers are all that is left to turn.
void transpose_whole(const float* src, ptrdiff_t src_step, float* dst, ptrdiff_t dst_step) noexcept {
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
#else
// The elements of two vectors in turn, from the first half or from the second.
template <size_t kFirst, size_t... kLane>
ONNXRUN_INLINE Vec<float> deal(const Vec<float>& a, const Vec<float>& b, std::index_sequence<kLane...>) noexcept {
  return Vec<float>(__builtin_shufflevector(a.data, b.data, (kLane % 2 * kWidth + kLane / 2 + kFirst)...));
}

// A square of vectors in registers: each round deals row i and row i + kWidth / 2 into each other.
void transpose_whole(const float* src, ptrdiff_t src_step, float* dst, ptrdiff_t dst_step) noexcept {
  Vec<float> rows[kWidth];
  ONNXRUN_UNROLL
  for (size_t i = 0; i < kWidth; ++i) rows[i] = load(src + static_cast<ptrdiff_t>(i) * src_step);
  ONNXRUN_UNROLL
  for (size_t round = 1; round < kWidth; round *= 2) {
    Vec<float> dealt[kWidth];
    ONNXRUN_UNROLL
    for (size_t i = 0; i < kWidth / 2; ++i) {
      dealt[2 * i] = deal<0>(rows[i], rows[i + kWidth / 2], std::make_index_sequence<kWidth>());
      dealt[2 * i + 1] = deal<kWidth / 2>(rows[i], rows[i + kWidth / 2], std::make_index_sequence<kWidth>());
    }
    ONNXRUN_UNROLL
    for (size_t i = 0; i < kWidth; ++i) rows[i] = dealt[i];
  }
  ONNXRUN_UNROLL
  for (size_t i = 0; i < kWidth; ++i) store(dst + static_cast<ptrdiff_t>(i) * dst_step, rows[i]);
}
#endif

void transpose_part(const float* src, ptrdiff_t src_step, size_t rows, size_t columns, float* dst,
                    ptrdiff_t dst_step) noexcept {
  for (size_t c = 0; c < columns; ++c) {
    for (size_t r = 0; r < rows; ++r) {
      __builtin_memcpy(dst + static_cast<ptrdiff_t>(c) * dst_step + r, src + static_cast<ptrdiff_t>(r) * src_step + c,
                       sizeof(float));
    }
  }
}

void transpose(const float* src, ptrdiff_t src_step, size_t rows, size_t columns, float* dst,
               ptrdiff_t dst_step) noexcept {
  for (size_t r = 0; r < rows; r += kWidth) {
    const size_t height = rows - r < kWidth ? rows - r : kWidth;
    const float* from = src + static_cast<ptrdiff_t>(r) * src_step;
    for (size_t c = 0; c < columns; c += kWidth) {
      const size_t width = columns - c < kWidth ? columns - c : kWidth;
      float* to = dst + static_cast<ptrdiff_t>(c) * dst_step + r;
      if (height == kWidth && width == kWidth) {
        transpose_whole(from + c, src_step, to, dst_step);
      } else {
        transpose_part(from + c, src_step, height, width, to, dst_step);
      }
    }
  }
}

}  // namespace

extern const TransposeF32 kTransposeF32;
const TransposeF32 kTransposeF32 = transpose;

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
