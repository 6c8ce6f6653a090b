// Softmax and LogSoftmax: https://onnx.ai/onnx/operators/onnx__Softmax.html, versions 1 and 11 (the input is taken as a
// matrix, cut before `axis`), 13 (along `axis`). The largest element is subtracted first.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "kernels/row/row.h"
#include "kernels/transpose/transpose.h"
#include "ops/support/elementwise.h"
#include "ops/support/shape_rules.h"

namespace onnxrun {
namespace {

constexpr int64_t kShortRow = 48;

struct Plain {};
struct Logarithm {};

// Rows of floats, contiguous; src and dst may be the same for Softmax. LogSoftmax needs scratch memory of a row.
template <class F>
void rows_f32(const float* src, float* dst, float* scratch, size_t rows, size_t n) {
  const RowKernels& kernels = row_kernels();
  if constexpr (std::is_same_v<F, Plain>) return kernels.softmax(src, dst, rows, n);
  for (size_t row = 0; row < rows; ++row, src += n, dst += n) {
    const float largest = kernels.max(src, n);
    const float sum = kernels.exp_sum(src, scratch, n, largest);
    // One after the other: the sum of both would drown the logarithm where the largest element is huge.
    kernels.scale_shift(src, dst, n, 1.0F, -largest);
    kernels.scale_shift(dst, dst, n, 1.0F, -std::log(sum));
  }
}

// `width` columns side by side, `inner` apart from one element to the next; scratch: 4 * width floats. src and dst may
// be the same.
template <class F>
void columns_f32(const float* src, float* dst, int64_t n, int64_t inner, size_t width, float* scratch) {
  const RowKernels& rows = row_kernels();
  float* largest = scratch;
  float* sums = scratch + width;
  float* scale = scratch + 2 * width;
  float* shift = scratch + 3 * width;
  std::copy_n(src, width, largest);
  for (int64_t k = 1; k < n; ++k) rows.max_strided(largest, src + k * inner, 1, width);
  std::fill_n(sums, width, 0.0F);
  for (int64_t k = 0; k < n; ++k) {
    float* target = std::is_same_v<F, Plain> ? dst + k * inner : scale;
    rows.exp_sum_each(src + k * inner, target, width, largest, sums);
  }
  if constexpr (std::is_same_v<F, Plain>) {
    for (size_t c = 0; c < width; ++c) scale[c] = 1.0F / sums[c];
    std::fill_n(shift, width, 0.0F);
    for (int64_t k = 0; k < n; ++k) rows.scale_shift_each(dst + k * inner, dst + k * inner, width, scale, shift);
  } else {
    std::fill_n(scale, width, 1.0F);
    for (size_t c = 0; c < width; ++c) {
      largest[c] = -largest[c];
      shift[c] = -std::log(sums[c]);
    }
    for (int64_t k = 0; k < n; ++k) {
      rows.scale_shift_each(src + k * inner, dst + k * inner, width, scale, largest);
      rows.scale_shift_each(dst + k * inner, dst + k * inner, width, scale, shift);
    }
  }
}

// `count` short rows, one behind the other, as columns of a transposed copy; scratch: (n + 4) * count floats.
template <class F>
void short_rows_f32(const float* src, float* dst, size_t n, size_t count, float* scratch) {
  const auto row = static_cast<ptrdiff_t>(n), column = static_cast<ptrdiff_t>(count);
  transpose_f32()(src, row, count, n, scratch, column);
  columns_f32<F>(scratch, scratch, row, column, count, scratch + n * count);
  transpose_f32()(scratch, column, n, count, dst, row);
}

template <class F>
void row_f64(const double* src, double* dst, int64_t n, int64_t stride) {
  double largest = -std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < n; ++i)
    largest = src[i * stride] > largest || src[i * stride] != src[i * stride] ? src[i * stride] : largest;
  double sum = 0;
  if constexpr (std::is_same_v<F, Plain>) {
    for (int64_t i = 0; i < n; ++i) sum += dst[i * stride] = std::exp(src[i * stride] - largest);
    for (int64_t i = 0; i < n; ++i) dst[i * stride] /= sum;
  } else {
    for (int64_t i = 0; i < n; ++i) sum += std::exp(src[i * stride] - largest);
    const double logarithm = std::log(sum);
    for (int64_t i = 0; i < n; ++i) dst[i * stride] = src[i * stride] - largest - logarithm;
  }
}

template <class F>
class Softmax : public Operator {
 public:
  explicit Softmax(AttributeReader& attributes)
      : flattens_(attributes.version() < 13), axis_(attributes.integer("axis", flattens_ ? 1 : -1)) {}

  void infer(InferContext& context) const override {
    ops::infer_same(context);
    const DimShape& shape = context.shape(0);
    if (shape.has_rank()) axis(shape.rank());
  }

  void plan(PlanContext& context) const override {
    const TensorType& x = context.input(0);
    const size_t at = axis(x.shape.rank());
    const size_t rank = x.shape.rank();
    const size_t end = flattens_ ? rank : std::min(rank, at + 1);
    const int64_t n = x.shape.elements(at, end);
    const int64_t outer = x.shape.elements(0, at);
    const int64_t inner = x.shape.elements(end, rank);
    context.in_place(0, 0);
    if (x.dtype == DType::float64) {
      context.range(outer * inner, static_cast<double>(n) * 10,
                    [=](const TileContext& tile, int64_t begin, int64_t stop) {
                      for (int64_t i = begin; i < stop; ++i) {
                        const int64_t offset = i / inner * n * inner + i % inner;
                        row_f64<F>(tile.input<double>(0) + offset, tile.output<double>(0) + offset, n, inner);
                      }
                    });
      return;
    }
    context.flush_denormals();
    if (x.dtype == DType::float32 && inner > 1 && n > 0) {
      constexpr int64_t kColumns = 64;
      const int64_t pieces = (inner + kColumns - 1) / kColumns;
      context.scratch(4 * kColumns * sizeof(float));
      context.range(outer * pieces, static_cast<double>(n * std::min(inner, kColumns)) * 1.5 + 10,
                    [=](const TileContext& tile, int64_t begin, int64_t stop) {
                      for (int64_t i = begin; i < stop; ++i) {
                        const int64_t first = i % pieces * kColumns;
                        const int64_t offset = i / pieces * n * inner + first;
                        columns_f32<F>(tile.input<float>(0) + offset, tile.output<float>(0) + offset, n, inner,
                                       static_cast<size_t>(std::min(kColumns, inner - first)),
                                       reinterpret_cast<float*>(tile.scratch));
                      }
                    });
      return;
    }
    if (x.dtype == DType::float32 && n > 0 && n <= kShortRow) {
      constexpr int64_t kRows = 64;
      context.scratch(static_cast<size_t>((n + 4) * kRows) * sizeof(float));
      context.range(outer, static_cast<double>(n) * 2 + 5, [=](const TileContext& tile, int64_t begin, int64_t stop) {
        for (int64_t i = begin; i < stop; i += kRows) {
          short_rows_f32<F>(tile.input<float>(0) + i * n, tile.output<float>(0) + i * n, static_cast<size_t>(n),
                            static_cast<size_t>(std::min(kRows, stop - i)), reinterpret_cast<float*>(tile.scratch));
        }
      });
      return;
    }
    // LogSoftmax and 16-bit types need buffers.
    const auto count = static_cast<size_t>(n);
    context.scratch(2 * count * sizeof(float));
    context.range(outer * inner, static_cast<double>(n) * 1.5 + 10,
                  [=, dtype = x.dtype](const TileContext& tile, int64_t begin, int64_t stop) {
                    auto* buffer = reinterpret_cast<float*>(tile.scratch);
                    if (dtype == DType::float32) {
                      return rows_f32<F>(tile.input<float>(0) + begin * n, tile.output<float>(0) + begin * n, buffer,
                                         static_cast<size_t>(stop - begin), count);
                    }
                    for (int64_t i = begin; i < stop; ++i) {
                      const int64_t offset = i / inner * n * inner + i % inner;
                      dispatch_dtype<Half, BFloat16>(dtype, [&]<class T>() {
                        const T* src = tile.input<T>(0) + offset;
                        T* dst = tile.output<T>(0) + offset;
                        if (inner == 1) {
                          ops::widen(dtype, src, buffer, count);
                        } else {
                          for (int64_t k = 0; k < n; ++k) buffer[k] = static_cast<float>(src[k * inner]);
                        }
                        rows_f32<F>(buffer, buffer, buffer + count, 1, count);
                        if (inner == 1) return ops::narrow(dtype, buffer, dst, count);
                        for (int64_t k = 0; k < n; ++k) dst[k * inner] = static_cast<T>(buffer[k]);
                      });
                    }
                  });
  }

 private:
  size_t axis(size_t rank) const {
    // A scalar has one element and no axis; flattening may also cut behind the last.
    if (rank == 0 || (flattens_ && axis_ == static_cast<int64_t>(rank))) return rank;
    return ops::normalize_axis(axis_, rank);
  }

  bool flattens_;
  int64_t axis_;
};

template <class F>
void add(OpRegistry& registry, std::string_view name) {
  const std::pair<std::vector<int64_t>, DTypeSet> groups[] = {{{1, 11}, kIeeeFloats}, {{13}, kFloats}};
  for (const auto& [versions, types] : groups) {
    registry.add({.name = name,
                  .versions = versions,
                  .signature = "input:T -> output:T",
                  .types = {{.name = "T", .tensors = types}},
                  .create = make_operator<Softmax<F>>});
  }
}

}  // namespace

void register_softmax(OpRegistry& registry) {
  add<Plain>(registry, "Softmax");
  add<Logarithm>(registry, "LogSoftmax");
}

}  // namespace onnxrun
