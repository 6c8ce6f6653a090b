#include "kernels/transpose/transpose.h"

#include "kernels/transpose/transpose_square.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {
namespace {

constexpr size_t kWidth = kLanes<float>;

// A square that is not full, by way of one that is.
void transpose_part(const float* src, ptrdiff_t src_step, size_t rows, size_t columns, float* dst,
                    ptrdiff_t dst_step) noexcept {
  alignas(64) float from[kWidth * kWidth];
  alignas(64) float to[kWidth * kWidth];
  for (size_t r = 0; r < kWidth; ++r) {
    const bool is_there = r < rows;
    store(from + r * kWidth,
          is_there ? load_partial(src + static_cast<ptrdiff_t>(r) * src_step, columns) : Vec<float>(0));
  }
  transpose_square(from, kWidth, to, kWidth);
  for (size_t c = 0; c < columns; ++c) {
    store_partial(dst + static_cast<ptrdiff_t>(c) * dst_step, load(to + c * kWidth), rows);
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
        transpose_square(from + c, src_step, to, dst_step);
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
