// Softmax and LogSoftmax: https://onnx.ai/onnx/operators/onnx__Softmax.html, versions 1 and 11 (the input is taken as a
// matrix, cut before `axis`), 13 (along `axis`). The largest element is subtracted first.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "kernels/row/row.h"
#include "ops/support/elementwise.h"
#include "ops/support/shape_rules.h"

namespace onnxrun {
namespace {

struct Plain {
  static void finish(const float* /*src*/, float* dst, size_t n, float /*largest*/, float sum) {
    row_kernels().scale_shift(dst, dst, n, 1.0F / sum, 0.0F);
  }
  static double value(double shifted, double sum) { return std::exp(shifted) / sum; }
};
struct Logarithm {
  static void finish(const float* src, float* dst, size_t n, float largest, float sum) {
    // One after the other: the sum of both would drown the logarithm where the largest element is huge.
    row_kernels().scale_shift(src, dst, n, 1.0F, -largest);
    row_kernels().scale_shift(dst, dst, n, 1.0F, -std::log(sum));
  }
  static double value(double shifted, double sum) { return shifted - std::log(sum); }
};

// One row of floats, contiguous; src and dst may be the same for Softmax.
template <class F>
void row_f32(const float* src, float* dst, float* scratch, size_t n) {
  const RowKernels& rows = row_kernels();
  const float largest = rows.max(src, n);
  if constexpr (std::is_same_v<F, Plain>) {
    F::finish(src, dst, n, largest, rows.exp_sum(src, dst, n, largest));
  } else {
    F::finish(src, dst, n, largest, rows.exp_sum(src, scratch, n, largest));
  }
}

template <class F>
void row_f64(const double* src, double* dst, int64_t n, int64_t stride) {
  double largest = -std::numeric_limits<double>::infinity();
  for (int64_t i = 0; i < n; ++i)
    largest = src[i * stride] > largest || src[i * stride] != src[i * stride] ? src[i * stride] : largest;
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += std::exp(src[i * stride] - largest);
  for (int64_t i = 0; i < n; ++i) dst[i * stride] = F::value(src[i * stride] - largest, sum);
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
    // Rows that do not lie in one piece, and 16-bit ones, go through two buffers.
    const auto count = static_cast<size_t>(n);
    context.scratch(2 * count * sizeof(float));
    context.range(outer * inner, static_cast<double>(n) * 1.5 + 10,
                  [=, dtype = x.dtype](const TileContext& tile, int64_t begin, int64_t stop) {
                    auto* buffer = reinterpret_cast<float*>(tile.scratch);
                    for (int64_t i = begin; i < stop; ++i) {
                      const int64_t offset = i / inner * n * inner + i % inner;
                      dispatch_dtype<float, Half, BFloat16>(dtype, [&]<class T>() {
                        const T* src = tile.input<T>(0) + offset;
                        T* dst = tile.output<T>(0) + offset;
                        if constexpr (std::is_same_v<T, float>) {
                          if (inner == 1) return row_f32<F>(src, dst, buffer, count);
                        }
                        for (int64_t k = 0; k < n; ++k) buffer[k] = static_cast<float>(src[k * inner]);
                        row_f32<F>(buffer, buffer, buffer + count, count);
                        for (int64_t k = 0; k < n; ++k) dst[k * inner] = static_cast<T>(buffer[k]);
                      });
                    }
                  });
    context.flush_denormals();
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
