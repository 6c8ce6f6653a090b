#include "kernels/transpose/transpose.h"

#include <utility>

#include "kernels/simd.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {
namespace {

constexpr size_t kWidth = kLanes<float>;

// The elements of two vectors in turn, from the first half or from the second. (xsimd 8.1's zip_lo and zip_hi deal
// within parts of 128 bits on AVX2.)
template <size_t kFirst, size_t... kLane>
ONNXRUN_INLINE Vec<float> deal(const Vec<float>& a, const Vec<float>& b, std::index_sequence<kLane...>) noexcept {
  return Vec<float>(__builtin_shufflevector(a.data, b.data, (kLane % 2 * kWidth + kLane / 2 + kFirst)...));
}

// A square of vectors in registers: each round deals row i and row i + kWidth / 2 into each other.
ONNXRUN_INLINE void transpose_square(Vec<float> (&rows)[kWidth]) noexcept {
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
}

void transpose_whole(const float* src, ptrdiff_t src_step, float* dst, ptrdiff_t dst_step) noexcept {
  Vec<float> rows[kWidth];
  ONNXRUN_UNROLL
  for (size_t i = 0; i < kWidth; ++i) rows[i] = load(src + static_cast<ptrdiff_t>(i) * src_step);
  transpose_square(rows);
  ONNXRUN_UNROLL
  for (size_t i = 0; i < kWidth; ++i) store(dst + static_cast<ptrdiff_t>(i) * dst_step, rows[i]);
}

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
