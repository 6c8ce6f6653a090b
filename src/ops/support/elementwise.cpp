#include "ops/support/elementwise.h"

#include <algorithm>
#include <array>
#include <functional>

#include "ops/support/float_block.h"
#include "ops/support/strided_loop.h"

namespace onnxrun::ops {
namespace {

constexpr size_t kChunk = 512;  // elements that are converted at a time: three buffers stay in the first-level cache

size_t width(DType dtype) { return static_cast<size_t>(bit_size(dtype)) / 8; }

const std::byte* at(const void* data, int64_t element, size_t bytes) {
  return static_cast<const std::byte*>(data) + element * static_cast<ptrdiff_t>(bytes);
}
std::byte* at(void* data, int64_t element, size_t bytes) {
  return static_cast<std::byte*>(data) + element * static_cast<ptrdiff_t>(bytes);
}

// A row function of 16-bit floats made from one of floats.
BinaryRow through_float(DType in, DType out, BinaryRow row) {
  return [in, out, row = std::move(row)](const void* a, ptrdiff_t a_step, const void* b, ptrdiff_t b_step, void* dst,
                                         size_t n) {
    float wide_a[kChunk];
    float wide_b[kChunk];
    float result[kChunk];
    const bool narrow_output = width(out) == 2;
    for (size_t done = 0; done < n; done += kChunk) {
      const size_t count = std::min(kChunk, n - done);
      const auto offset = static_cast<ptrdiff_t>(done);
      widen(in, at(a, offset * a_step, 2), wide_a, a_step == 0 ? 1 : count);
      widen(in, at(b, offset * b_step, 2), wide_b, b_step == 0 ? 1 : count);
      void* target = narrow_output ? static_cast<void*>(result) : at(dst, offset, width(out));
      row(wide_a, a_step, wide_b, b_step, target, count);
      if (narrow_output) narrow(out, result, at(dst, offset, 2), count);
    }
  };
}

// The operand that is a few elements repeated along the axis before them, beside one and an output without gaps, as a
// factor for each channel of channel-blocked maps; 2 where there is none.
size_t repeated_operand(const StridedLoop<3>& loop) {
  constexpr int64_t kFew = 64;
  if (loop.axis_count() < 2 || loop.inner_extent() >= kFew) return 2;
  const auto step = loop.inner_strides();
  const auto repeat = loop.strides(loop.axis_count() - 2);
  const auto is_dense = [&](size_t k) { return step[k] == 1 && repeat[k] == loop.inner_extent(); };
  if (!is_dense(2)) return 2;
  for (const size_t k : {size_t{0}, size_t{1}}) {
    if (step[k] == 1 && repeat[k] == 0 && is_dense(1 - k)) return k;
  }
  return 2;
}

// Rows of many repeats at once.
void plan_repeated(PlanContext& context, const std::array<size_t, 2>& inputs, size_t repeated,
                   const StridedLoop<3>& loop, const std::array<size_t, 3>& widths, double nanoseconds_per_element,
                   BinaryRow row) {
  constexpr size_t kBytes = 2048;
  const int64_t inner = loop.inner_extent();
  const int64_t repeats = loop.extent(loop.axis_count() - 2);
  const auto few = static_cast<size_t>(inner) * widths[repeated];
  const auto most = std::min<int64_t>(repeats, kBytes / few);
  context.range(loop.outer_count(2), nanoseconds_per_element * static_cast<double>(inner * repeats) + 20,
                [=, row = std::move(row)](const TileContext& tile, int64_t begin, int64_t end) {
                  alignas(64) std::array<std::byte, kBytes> copies;
                  const auto walk = [&](const auto& offsets) {
                    const std::byte* once = at(tile.input(inputs[repeated]), offsets[repeated], widths[repeated]);
                    for (int64_t k = 0; k < most; ++k) std::copy_n(once, few, &copies[static_cast<size_t>(k) * few]);
                    for (int64_t k = 0; k < repeats; k += most) {
                      const auto operand = [&](size_t i) -> const void* {
                        if (i == repeated) return copies.data();
                        return at(tile.input(inputs[i]), offsets[i] + k * inner, widths[i]);
                      };
                      row(operand(0), 1, operand(1), 1, at(tile.output(0), offsets[2] + k * inner, widths[2]),
                          static_cast<size_t>(std::min(most, repeats - k) * inner));
                    }
                  };
                  loop.for_outer(begin, end, walk, 2);
                });
}

}  // namespace

void widen(DType dtype, const void* src, float* dst, size_t n) {
  load_floats(dtype, src, 0, static_cast<int64_t>(n), dst);
}

void narrow(DType dtype, const float* src, void* dst, size_t n) {
  store_floats(dtype, src, dst, 0, static_cast<int64_t>(n));
}

void infer_same(InferContext& context) { context.set_type(0, context.type(0)); }

void plan_unary(PlanContext& context, double nanoseconds_per_element,
                std::function<void(const void*, void*, size_t)> row) {
  const size_t in = width(context.input(0).dtype);
  const size_t out = width(context.output(0).dtype);
  if (in == out) context.in_place(0, 0);
  context.elementwise(context.output(0).elements(), nanoseconds_per_element,
                      [in, out, row = std::move(row)](const TileContext& tile, int64_t begin, int64_t end) {
                        row(at(tile.input(0), begin, in), at(tile.output(0), begin, out),
                            static_cast<size_t>(end - begin));
                      });
}

void plan_float_unary(PlanContext& context, double nanoseconds_per_element, FloatRow row, DoubleRow wide) {
  const DType dtype = context.input(0).dtype;
  if (dtype == DType::float32) {
    plan_unary(context, nanoseconds_per_element, [row = std::move(row)](const void* src, void* dst, size_t n) {
      row(static_cast<const float*>(src), static_cast<float*>(dst), n);
    });
  } else if (dtype == DType::float64) {
    plan_unary(context, nanoseconds_per_element * 4, [wide = std::move(wide)](const void* src, void* dst, size_t n) {
      wide(static_cast<const double*>(src), static_cast<double*>(dst), n);
    });
  } else {
    plan_unary(context, nanoseconds_per_element * 3,
               [dtype, row = std::move(row)](const void* src, void* dst, size_t n) {
                 float buffer[kChunk];
                 for (size_t done = 0; done < n; done += kChunk) {
                   const size_t count = std::min(kChunk, n - done);
                   const auto offset = static_cast<int64_t>(done);
                   widen(dtype, at(src, offset, 2), buffer, count);
                   row(buffer, buffer, count);
                   narrow(dtype, buffer, at(dst, offset, 2), count);
                 }
               });
  }
}

void plan_float_unary(PlanContext& context, double nanoseconds_per_element, UnaryKind kind, float alpha, float beta) {
  plan_float_unary(
      context, nanoseconds_per_element,
      [=, kernel = unary_f32(kind)](const float* src, float* dst, size_t n) { kernel(src, dst, n, alpha, beta); },
      [=, kernel = unary_f64(kind)](const double* src, double* dst, size_t n) {
        kernel(src, dst, n, static_cast<double>(alpha), static_cast<double>(beta));
      });
}

void plan_broadcast(PlanContext& context, size_t i, size_t j, DType row_dtype, double nanoseconds_per_element,
                    BinaryRow row) {
  plan_broadcast_as(context, i, j, context.input(j).shape, row_dtype, nanoseconds_per_element, std::move(row));
}

void plan_broadcast_as(PlanContext& context, size_t i, size_t j, const Shape& b_shape, DType row_dtype,
                       double nanoseconds_per_element, BinaryRow row) {
  const TensorType& a = context.input(i);
  const TensorType& b = context.input(j);
  const TensorType& out = context.output(0);
  if (a.shape == out.shape && width(a.dtype) == width(out.dtype)) context.in_place(0, i);
  if (b.shape == out.shape && width(b.dtype) == width(out.dtype)) context.in_place(0, j);
  if (row_dtype != a.dtype) row = through_float(a.dtype, out.dtype, std::move(row));

  StridedLoop<3> loop;
  const auto a_strides = broadcast_strides(a.shape, out.shape);
  const auto b_strides = broadcast_strides(b_shape, out.shape);
  const auto out_strides = row_major_strides(out.shape);
  for (size_t axis = 0; axis < out.shape.rank(); ++axis) {
    loop.add_axis(out.shape[axis], {a_strides[axis], b_strides[axis], out_strides[axis]});
  }
  if (out.elements() == 0) return context.phase(0, 0, [](const TileContext&) {});
  const int64_t inner = loop.inner_extent();
  const auto steps = loop.inner_strides();
  const size_t a_width = width(a.dtype);
  const size_t b_width = width(b.dtype);
  const size_t out_width = width(out.dtype);
  if (const size_t repeated = repeated_operand(loop); repeated < 2 && a.dtype != DType::string) {
    return plan_repeated(context, {i, j}, repeated, loop, {a_width, b_width, out_width}, nanoseconds_per_element,
                         std::move(row));
  }
  const int64_t rows = loop.outer_count();
  if (rows == 1) {
    context.elementwise(inner, nanoseconds_per_element, [=](const TileContext& tile, int64_t begin, int64_t end) {
      row(at(tile.input(i), begin * steps[0], a_width), steps[0], at(tile.input(j), begin * steps[1], b_width),
          steps[1], at(tile.output(0), begin, out_width), static_cast<size_t>(end - begin));
    });
    return;
  }
  context.range(rows, nanoseconds_per_element * static_cast<double>(inner) + 5,
                [=](const TileContext& tile, int64_t begin, int64_t end) {
                  loop.for_outer(begin, end, [&](const auto& offsets) {
                    row(at(tile.input(i), offsets[0], a_width), steps[0], at(tile.input(j), offsets[1], b_width),
                        steps[1], at(tile.output(0), offsets[2], out_width), static_cast<size_t>(inner));
                  });
                });
}

}  // namespace onnxrun::ops
