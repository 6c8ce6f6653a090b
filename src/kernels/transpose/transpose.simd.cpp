#include "kernels/transpose/transpose.h"

#include "kernels/transpose/transpose_square.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {
namespace {

constexpr size_t kWidth = kLanes<float>;

// A square that is not full: element by element where it is but few, else by way of one that is full.
void transpose_part(const float* src, ptrdiff_t src_step, size_t rows, size_t columns, float* dst,
                    ptrdiff_t dst_step) noexcept {
  if (rows * columns <= 4 * kWidth) {
    for (size_t c = 0; c < columns; ++c) {
      for (size_t r = 0; r < rows; ++r) {
        __builtin_memcpy(dst + static_cast<ptrdiff_t>(c) * dst_step + r, src + static_cast<ptrdiff_t>(r) * src_step + c,
                         sizeof(float));
      }
    }
    return;
  }
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

// Of pairs one behind the other, the first ones and the second ones; gives how many rows it has done.
size_t separate_pairs(const float* src, size_t rows, float* dst, ptrdiff_t dst_step) noexcept {
  size_t r = 0;
  for (; r + kWidth < rows; r += kWidth, src += 2 * kWidth) {  // reads one behind them
    store(dst + r, even_lanes(load(src), load(src + kWidth)));
    store(dst + dst_step + r, even_lanes(load(src + 1), load(src + kWidth + 1)));
  }
  return r;
}

void transpose(const float* src, ptrdiff_t src_step, size_t rows, size_t columns, float* dst,
               ptrdiff_t dst_step) noexcept {
  const size_t done = columns == 2 && src_step == 2 ? separate_pairs(src, rows, dst, dst_step) : 0;
  for (size_t r = done; r < rows; r += kWidth) {
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
