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

// Lane i is src[i * kStride]; reads what lies between, and behind the last one as many elements as between two.
template <size_t kStride>
ONNXRUN_INLINE Vec<float> load_strided(const float* src) noexcept {
  if constexpr (kStride == 1) {
    return load(src);
  } else {
    return even_lanes(load_strided<kStride / 2>(src), load_strided<kStride / 2>(src + kStride / 2 * kWidth));
  }
}

// Of rows of a few columns one behind the other, the first columns, the second ones and so on; gives how many rows it
// has done.
template <size_t kColumns>
size_t separate(const float* src, size_t rows, float* dst, ptrdiff_t dst_step) noexcept {
  size_t r = 0;
  for (; r + kWidth < rows; r += kWidth, src += kColumns * kWidth) {  // reads into the row behind them
    ONNXRUN_UNROLL
    for (size_t c = 0; c < kColumns; ++c) {
      store(dst + static_cast<ptrdiff_t>(c) * dst_step + r, load_strided<kColumns>(src + c));
    }
  }
  return r;
}

void transpose(const float* src, ptrdiff_t src_step, size_t rows, size_t columns, float* dst,
               ptrdiff_t dst_step) noexcept {
  const bool is_dense = src_step == static_cast<ptrdiff_t>(columns);
  const size_t done = is_dense && columns == 2   ? separate<2>(src, rows, dst, dst_step)
                      : is_dense && columns == 4 ? separate<4>(src, rows, dst, dst_step)
                                                 : 0;
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
