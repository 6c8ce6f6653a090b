// MeanVarianceNormalization: https://onnx.ai/onnx/operators/onnx__MeanVarianceNormalization.html, versions 9, 13. As in
// its function body, 1e-9 is added to the standard deviation, and no axes mean all of them.
#include <algorithm>
#include <cmath>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "kernels/normalize/normalize.h"
#include "kernels/reduce/reduce.h"
#include "ops/support/elementwise.h"
#include "ops/support/reduce.h"
#include "ops/support/row_sum.h"
#include "ops/support/shape_rules.h"

namespace onnxrun {
namespace {

constexpr int64_t kColumns = 256;  // statistics side by side
constexpr double kEpsilon = 1e-9;

double sum_row(const float* src, int64_t n) {
  double sum = 0;
  reduce_kernels().sum.row(sum, src, static_cast<size_t>(n));
  return sum;
}
template <class T>
double sum_row(const T* src, int64_t n) {
  return ops::row_sum(src, n, [](double x) { return x; });
}

// The sum of (src[i] - mean)^2. The kernels take a float for the mean; what that is off is made up for.
double square_row(const float* src, int64_t n, double mean) {
  constexpr int64_t kRun = 512;  // that is summed in float
  const auto center = static_cast<float>(mean);
  const double off = static_cast<double>(center) - mean;
  double sum = -static_cast<double>(n) * off * off;
  for (int64_t i = 0; i < n; i += kRun) {
    const auto count = static_cast<size_t>(std::min(kRun, n - i));
    sum += static_cast<double>(normalize_kernels().square_sum(src + i, count, center));
  }
  return std::max(0.0, sum);
}
template <class T>
double square_row(const T* src, int64_t n, double mean) {
  return ops::row_sum(src, n, [mean](double x) { return (x - mean) * (x - mean); });
}

void apply_row(const float* src, float* dst, int64_t n, double mean, double factor) {
  constexpr float kOne = 1;
  const auto center = static_cast<float>(mean);
  const auto rest = static_cast<float>((static_cast<double>(center) - mean) * factor);
  normalize_kernels().apply(src, dst, static_cast<size_t>(n), center, static_cast<float>(factor), &kOne, 0, &rest, 0);
}
template <class T>
void apply_row(const T* src, T* dst, int64_t n, double mean, double factor) {
  for (int64_t i = 0; i < n; ++i) dst[i] = static_cast<T>((static_cast<double>(src[i]) - mean) * factor);
}

// One statistic: the axes that are reduced end in rows.
template <class T>
void normalize_rows(const ops::ReduceLoops& loops, const T* src, T* dst) {
  const int64_t n = loops.reduced.inner_extent();
  const auto each_row = [&](const auto& body) { loops.reduced.for_outer(0, loops.reduced.outer_count(), body); };
  const auto count = static_cast<double>(loops.count);
  double sum = 0;
  each_row([&](const auto& offsets) { sum += sum_row(src + offsets[0], n); });
  const double mean = sum / count;
  double squares = 0;
  each_row([&](const auto& offsets) { squares += square_row(src + offsets[0], n, mean); });
  const double factor = 1 / (std::sqrt(squares / count) + kEpsilon);
  each_row([&](const auto& offsets) { apply_row(src + offsets[0], dst + offsets[0], n, mean, factor); });
}

// `columns` statistics of neighbouring elements.
template <class T>
void normalize_columns(const ops::ReduceLoops& loops, const T* src, T* dst, int64_t columns) {
  double means[kColumns] = {};
  double factors[kColumns] = {};
  const auto each = [&](const auto& body) {
    loops.reduced.for_outer(
        0, loops.reduced.outer_count(0),
        [&](const auto& offsets) {
          for (int64_t j = 0; j < columns; ++j) body(j, offsets[0] + j);
        },
        0);
  };
  const auto count = static_cast<double>(loops.count);
  each([&](int64_t j, int64_t i) { means[j] += static_cast<double>(src[i]); });
  for (int64_t j = 0; j < columns; ++j) means[j] /= count;
  each([&](int64_t j, int64_t i) {
    const double distance = static_cast<double>(src[i]) - means[j];
    factors[j] += distance * distance;
  });
  for (int64_t j = 0; j < columns; ++j) factors[j] = 1 / (std::sqrt(factors[j] / count) + kEpsilon);
  each([&](int64_t j, int64_t i) { dst[i] = static_cast<T>((static_cast<double>(src[i]) - means[j]) * factors[j]); });
}

class MeanVarianceNormalization : public Operator {
 public:
  explicit MeanVarianceNormalization(AttributeReader& attributes)
      : axes_(attributes.optional_integers("axes").value_or(std::vector<int64_t>{0, 2, 3})) {}

  void infer(InferContext& context) const override {
    ops::infer_same(context);
    if (context.shape(0).has_rank()) ops::normalize_axes(axes_, context.shape(0).rank());
  }

  void plan(PlanContext& context) const override {
    const Shape& x = context.input(0).shape;
    std::vector<bool> is_reduced(x.rank(), axes_.empty());
    for (const size_t axis : ops::normalize_axes(axes_, x.rank())) is_reduced[axis] = true;
    const ops::ReduceLoops loops(x, is_reduced);
    context.in_place(0, 0);
    if (x.elements() == 0) return context.phase(0, 0, [](const TileContext&) {});
    const int64_t pieces = loops.rows ? loops.kept.outer_count(0) : loops.kept.piece_count(kColumns);
    const int64_t columns = loops.rows ? 1 : std::min(kColumns, loops.kept.inner_extent());
    const double cost = static_cast<double>(loops.count * columns) * 2 + 10;
    dispatch_dtype<FloatTypes>(context.input(0).dtype, [&]<class T>() {
      context.range(pieces, cost, [loops](const TileContext& tile, int64_t begin, int64_t end) {
        const T* src = tile.input<T>(0);
        T* dst = tile.output<T>(0);
        if (loops.rows) {
          const auto body = [&](const auto& kept) { normalize_rows(loops, src + kept[0], dst + kept[0]); };
          return loops.kept.for_outer(begin, end, body, 0);
        }
        loops.kept.for_pieces(begin, end, kColumns, [&](const auto& kept, int64_t first, int64_t n) {
          normalize_columns(loops, src + kept[0] + first, dst + kept[0] + first, n);
        });
      });
    });
  }

 private:
  std::vector<int64_t> axes_;
};

}  // namespace

void register_mean_variance_normalization(OpRegistry& registry) {
  for (const auto& [version, types] : {std::pair<int64_t, DTypeSet>{9, kIeeeFloats}, {13, kFloats}}) {
    registry.add({.name = "MeanVarianceNormalization",
                  .versions = {version},
                  .signature = "X:T -> Y:T",
                  .types = {{.name = "T", .tensors = types}},
                  .create = make_operator<MeanVarianceNormalization>});
  }
}

}  // namespace onnxrun
