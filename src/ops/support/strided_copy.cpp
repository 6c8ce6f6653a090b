#include "ops/support/strided_copy.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "base/packed.h"
#include "kernels/transpose/transpose.h"
#include "ops/support/element_width.h"

namespace onnxrun::ops {
namespace {

constexpr int64_t kRun = 16384;  // elements of one row that a tile copies at a time
constexpr int64_t kBlock = 16;   // rows and columns of a block that is transposed at a time

template <class T>
void copy_row(const T* src, ptrdiff_t src_step, T* dst, ptrdiff_t dst_step, int64_t n) {
  if (src_step == 1 && dst_step == 1) {
    std::copy_n(src, n, dst);
  } else if (src_step == 0 && dst_step == 1) {
    std::fill_n(dst, n, *src);
  } else {
    for (int64_t i = 0; i < n; ++i) dst[i * dst_step] = src[i * src_step];
  }
}

template <class T>
void plan_rows(PlanContext& context, size_t i, size_t j, const StridedCopy& copy) {
  const auto steps = copy.loop.inner_strides();
  const auto length = static_cast<double>(std::min(copy.loop.inner_extent(), kRun));
  const double cost = length * sizeof(T) * (steps[0] == 1 ? 0.1 : 0.3) + 5;
  context.range(copy.loop.piece_count(kRun), cost, [=](const TileContext& tile, int64_t begin, int64_t end) {
    const T* src = tile.input<T>(i) + copy.src_offset;
    T* dst = tile.output<T>(j) + copy.dst_offset;
    if (src == dst) return;
    copy.loop.for_pieces(begin, end, kRun, [&](const auto& offsets, int64_t first, int64_t count) {
      copy_row(src + offsets[0] + first * steps[0], steps[0], dst + offsets[1] + first * steps[1], steps[1], count);
    });
  });
}

// dst[r * dst_step + c] = src[r + c * src_step]: blocks that stay in the first-level cache.
template <class T>
void transpose_block(const T* src, ptrdiff_t src_step, T* dst, ptrdiff_t dst_step, int64_t rows, int64_t columns) {
  if constexpr (sizeof(T) == sizeof(float) && std::is_trivially_copyable_v<T>) {
    return transpose_f32()(reinterpret_cast<const float*>(src), src_step, static_cast<size_t>(columns),
                           static_cast<size_t>(rows), reinterpret_cast<float*>(dst), dst_step);
  }
  for (int64_t c = 0; c < columns; c += kBlock) {
    const int64_t width = std::min(kBlock, columns - c);
    for (int64_t r = 0; r < rows; ++r) {
      const T* from = src + r + c * src_step;
      T* to = dst + r * dst_step + c;
      for (int64_t k = 0; k < width; ++k) to[k] = from[k * src_step];
    }
  }
}

// The axis along which neighbours of the source lie side by side; the innermost one where none is better.
size_t unit_axis(const StridedLoop<2>& loop) {
  const size_t last = loop.axis_count() - 1;
  for (size_t axis = 0; axis < last; ++axis) {
    if (loop.strides(axis)[0] == 1) return axis;
  }
  return last;
}

// The source's unit axis `rows` and the target's, the innermost one, in square blocks.
template <class T>
void plan_transposed(PlanContext& context, size_t i, size_t j, const StridedCopy& copy, size_t rows_axis) {
  StridedLoop<2> outer;
  for (size_t axis = 0; axis + 1 < copy.loop.axis_count(); ++axis) {
    if (axis != rows_axis) outer.add_axis(copy.loop.extent(axis), copy.loop.strides(axis));
  }
  const int64_t rows = copy.loop.extent(rows_axis);
  const int64_t columns = copy.loop.inner_extent();
  const ptrdiff_t src_step = copy.loop.inner_strides()[0];
  const ptrdiff_t dst_step = copy.loop.strides(rows_axis)[1];
  const int64_t bands = (rows + kBlock - 1) / kBlock;
  const double cost = static_cast<double>(std::min(rows, kBlock) * columns) * (0.5 + 0.05 * sizeof(T)) + 5;
  context.range(outer.outer_count(0) * bands, cost, [=](const TileContext& tile, int64_t begin, int64_t end) {
    const T* src = tile.input<T>(i) + copy.src_offset;
    T* dst = tile.output<T>(j) + copy.dst_offset;
    int64_t index = begin / bands;
    outer.for_outer(
        index, (end + bands - 1) / bands,
        [&](const auto& offsets) {
          const int64_t first = std::max<int64_t>(begin - index * bands, 0) * kBlock;
          const int64_t past = std::min(rows, (end - index * bands) * kBlock);
          ++index;
          for (int64_t r = first; r < past; r += kBlock) {
            transpose_block(src + offsets[0] + r, src_step, dst + offsets[1] + r * dst_step, dst_step,
                            std::min(kBlock, past - r), columns);
          }
        },
        0);
  });
}

// Elements that share bytes: one thread, one element at a time. The block must fill the output.
void plan_packed(PlanContext& context, size_t i, size_t j, const StridedCopy& copy) {
  const int bits = bit_size(context.output(j).dtype);
  const size_t last_byte = context.output(j).bytes() - 1;
  context.phase(1, static_cast<double>(context.output(j).elements()) * 3, [=](const TileContext& tile) {
    const auto* src = tile.input<uint8_t>(i);
    auto* dst = tile.output<uint8_t>(j);
    dst[last_byte] = 0;
    copy.loop.for_outer(
        0, copy.loop.outer_count(0),
        [&](const auto& offsets) {
          put_packed(dst, bits, copy.dst_offset + offsets[1], get_packed(src, bits, copy.src_offset + offsets[0]));
        },
        0);
  });
}

}  // namespace

void plan_copy(PlanContext& context, size_t i, size_t j, StridedCopy copy) {
  const DType dtype = context.output(j).dtype;
  if (copy.loop.outer_count(0) == 0) return context.phase(0, 0, [](const TileContext&) {});
  if (is_packed(dtype)) return plan_packed(context, i, j, copy);
  dispatch_width(dtype, [&]<class T>() {
    const auto steps = copy.loop.inner_strides();
    if (copy.loop.axis_count() >= 2 && steps[1] == 1 && steps[0] > 1) {
      const size_t rows = unit_axis(copy.loop);
      if (rows + 1 < copy.loop.axis_count()) return plan_transposed<T>(context, i, j, copy, rows);
    }
    plan_rows<T>(context, i, j, copy);
  });
}

void plan_part(PlanContext& context, size_t i, size_t j, StridedCopy copy) {
  const int bits = bit_size(context.output(j).dtype);
  const bool is_empty = context.output(j).elements() == 0;
  const int64_t offset = is_empty ? 0 : copy.src_offset * bits;
  if ((copy.is_dense() && offset % 8 == 0) || is_empty) {
    context.view(j, i, static_cast<size_t>(offset) / 8);
  } else {
    plan_copy(context, i, j, std::move(copy));
  }
}

void plan_integers(PlanContext& context, size_t j, std::vector<int64_t> values) {
  context.phase(1, 10, [j, values = std::move(values)](const TileContext& tile) {
    std::copy(values.begin(), values.end(), tile.output<int64_t>(j));
  });
}

}  // namespace onnxrun::ops
