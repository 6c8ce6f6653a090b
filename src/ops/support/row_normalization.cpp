#include "ops/support/row_normalization.h"

#include <algorithm>
#include <cmath>

#include "base/dispatch_dtype.h"
#include "kernels/normalize/normalize.h"
#include "kernels/row/row.h"
#include "ops/support/float_block.h"
#include "ops/support/row_sum.h"

namespace onnxrun::ops {
namespace {

constexpr int64_t kBlock = 512;      // elements that are summed in one precision, and converted at a time
constexpr int64_t kShortRow = 1024;  // elements that kernels sum in float, several rows at a time

// Elements [at, at + n) as numbers of C: in their place where they are such.
template <class C>
const C* read(DType dtype, const void* data, int64_t at, int64_t n, C* buffer) {
  if (dtype == kDTypeOf<C>) return static_cast<const C*>(data) + at;
  load_floats(dtype, data, at, n, buffer);
  return buffer;
}

double sum(const float* src, int64_t n) { return static_cast<double>(row_kernels().sum(src, static_cast<size_t>(n))); }
double sum(const double* src, int64_t n) {
  return row_sum(src, n, [](double x) { return x; });
}
double square_sum(const float* src, int64_t n, float shift) {
  return static_cast<double>(normalize_kernels().square_sum(src, static_cast<size_t>(n), shift));
}
double square_sum(const double* src, int64_t n, double shift) {
  return row_sum(src, n, [=](double x) { return (x - shift) * (x - shift); });
}
void apply(const float* src, float* dst, int64_t n, float shift, float factor, const float* scale, ptrdiff_t scale_step,
           const float* bias, ptrdiff_t bias_step) {
  normalize_kernels().apply(src, dst, static_cast<size_t>(n), shift, factor, scale, scale_step, bias, bias_step);
}
void apply(const double* src, double* dst, int64_t n, double shift, double factor, const double* scale,
           ptrdiff_t scale_step, const double* bias, ptrdiff_t bias_step) {
  for (int64_t i = 0; i < n; ++i) {
    dst[i] = (src[i] - shift) * factor * scale[i * scale_step] + (bias ? bias[i * bias_step] : 0);
  }
}

template <class C>
class Rows {
 public:
  Rows(const PlanContext& context, const RowNormalization& normalization)
      : n_(normalization),
        src_type_(context.input(0).dtype),
        scale_type_(context.input(1).dtype),
        dst_type_(context.output(0).dtype),
        mean_type_(n_.mean ? context.output(*n_.mean).dtype : DType::undefined),
        inverse_type_(n_.inverse ? context.output(*n_.inverse).dtype : DType::undefined) {}

  void run(const TileContext& tile, int64_t begin, int64_t end) const {
    int64_t index = begin;
    n_.rows.for_outer(
        begin, end,
        [&](const auto& offsets) {
          run_row(tile, index, offsets);
          ++index;
        },
        0);
  }

 private:
  using Strides = StridedLoop<2>::Strides;

  // f(block, n) over row `index`, added up.
  template <class F>
  double total(const TileContext& tile, int64_t index, F f) const {
    C buffer[kBlock];
    double result = 0;
    for (int64_t i = 0; i < n_.length; i += kBlock) {
      const int64_t n = std::min(kBlock, n_.length - i);
      result += f(read(src_type_, tile.input(0), index * n_.length + i, n, buffer), n);
    }
    return result;
  }

  void run_row(const TileContext& tile, int64_t index, const Strides& row_offsets) const {
    const auto count = static_cast<double>(n_.length);
    double mean = 0;
    if (n_.is_centered) mean = total(tile, index, [](const C* src, int64_t n) { return sum(src, n); }) / count;
    const C shift = static_cast<C>(mean);
    const double squares = total(tile, index, [&](const C* src, int64_t n) { return square_sum(src, n, shift); });
    const double inverse = 1 / std::sqrt(squares / count + n_.epsilon);
    if (n_.mean) store_floats(mean_type_, &mean, tile.output(*n_.mean), index, 1);
    if (n_.inverse) store_floats(inverse_type_, &inverse, tile.output(*n_.inverse), index, 1);
    int64_t at = index * n_.length;
    if (n_.length == 0) return;
    n_.row.for_outer(0, n_.row.outer_count(), [&](const Strides& offsets) {
      const int64_t n = n_.row.inner_extent();
      write_segment(tile, at, n, row_offsets[0] + offsets[0], row_offsets[1] + offsets[1], shift,
                    static_cast<C>(inverse));
      at += n;
    });
  }

  // Elements [at, at + n), where scale and bias are one element or as many.
  void write_segment(const TileContext& tile, int64_t at, int64_t n, int64_t scale_at, int64_t bias_at, C shift,
                     C factor) const {
    const ptrdiff_t scale_step = n_.row.inner_strides()[0];
    const ptrdiff_t bias_step = n_.row.inner_strides()[1];
    const bool converts = src_type_ != kDTypeOf<C> || scale_type_ != kDTypeOf<C> || dst_type_ != kDTypeOf<C>;
    const int64_t block = converts ? kBlock : n;
    C buffers[4][kBlock];
    for (int64_t i = 0; i < n; i += block) {
      const int64_t count = std::min(block, n - i);
      const C* src = read(src_type_, tile.input(0), at + i, count, buffers[0]);
      const C* scale = read(scale_type_, tile.input(1), scale_at + i * scale_step, scale_step ? count : 1, buffers[1]);
      const C* bias = nullptr;
      if (n_.bias) {
        bias = read(scale_type_, tile.input(*n_.bias), bias_at + i * bias_step, bias_step ? count : 1, buffers[2]);
      }
      if (dst_type_ == kDTypeOf<C>) {
        apply(src, tile.output<C>(0) + at + i, count, shift, factor, scale, scale_step, bias, bias_step);
        continue;
      }
      apply(src, buffers[3], count, shift, factor, scale, scale_step, bias, bias_step);
      store_floats(dst_type_, buffers[3], tile.output(0), at + i, count);
    }
  }

  RowNormalization n_;
  DType src_type_, scale_type_, dst_type_, mean_type_, inverse_type_;
};

}  // namespace

RowNormalization::RowNormalization(const std::vector<int64_t>& extents, size_t first,
                                   const std::vector<ptrdiff_t>& scale_strides,
                                   const std::vector<ptrdiff_t>& bias_strides) {
  for (size_t axis = 0; axis < extents.size(); ++axis) {
    (axis < first ? rows : row).add_axis(extents[axis], {scale_strides[axis], bias_strides[axis]});
    (axis < first ? row_count : length) *= extents[axis];
  }
  ptrdiff_t step = 1;
  for (size_t axis = extents.size(); axis-- > 0;) {
    const ptrdiff_t expected = axis < first ? 0 : step;
    if (extents[axis] != 1 && (scale_strides[axis] != expected || bias_strides[axis] != expected)) {
      shares_operands = false;
    }
    step *= extents[axis];
  }
}

namespace {

// Rows of floats that are summed in one precision.
bool has_short_rows(const PlanContext& context, const RowNormalization& n) {
  bool floats = context.input(0).dtype == DType::float32 && context.input(1).dtype == DType::float32;
  for (const auto j : {std::optional<size_t>(0), n.mean, n.inverse}) {
    floats = floats && (!j || context.output(*j).dtype == DType::float32);
  }
  return floats && n.shares_operands && n.length > 0 && n.length <= kShortRow;
}

void plan_short_rows(PlanContext& context, const RowNormalization& normalization) {
  context.range(normalization.row_count, static_cast<double>(normalization.length) * 0.2 + 5,
                [n = normalization](const TileContext& tile, int64_t begin, int64_t end) {
                  NormalizedRows rows;
                  rows.src = tile.input<float>(0) + begin * n.length;
                  rows.dst = tile.output<float>(0) + begin * n.length;
                  rows.rows = static_cast<size_t>(end - begin);
                  rows.n = static_cast<size_t>(n.length);
                  rows.is_centered = n.is_centered;
                  rows.epsilon = n.epsilon;
                  rows.scale = tile.input<float>(1);
                  if (n.bias) rows.bias = tile.input<float>(*n.bias);
                  if (n.mean) rows.mean = tile.output<float>(*n.mean) + begin;
                  if (n.inverse) rows.inverse = tile.output<float>(*n.inverse) + begin;
                  normalize_kernels().rows(rows);
                });
}

}  // namespace

void plan_row_normalization(PlanContext& context, const RowNormalization& normalization) {
  const bool is_wide = context.input(0).dtype == DType::float64 || context.input(1).dtype == DType::float64;
  const double cost = static_cast<double>(normalization.length) * (context.input(0).dtype == DType::float32 ? 0.3 : 3);
  const auto plan = [&]<class C>() {
    context.range(normalization.row_count, cost + 20,
                  [rows = Rows<C>(context, normalization)](const TileContext& tile, int64_t begin, int64_t end) {
                    rows.run(tile, begin, end);
                  });
  };
  if (context.input(0).dtype == context.output(0).dtype) context.in_place(0, 0);
  if (is_wide) return plan.template operator()<double>();
  context.flush_denormals();
  if (has_short_rows(context, normalization)) return plan_short_rows(context, normalization);
  plan.template operator()<float>();
}

}  // namespace onnxrun::ops
