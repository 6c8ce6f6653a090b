// ReduceSum (versions 1, 11, 13), ReduceMax and ReduceMin (1, 11, 12, 13, 18, 20), ReduceMean, ReduceProd, ReduceL1,
// ReduceL2, ReduceLogSum, ReduceLogSumExp, ReduceSumSquare (1, 11, 13, 18): https://onnx.ai/onnx/operators/. Float
// totals are kept in double and rounded once, integers wrap around in 64 bits. With noop_with_empty_axes every element
// is reduced by itself.
#include "ops/support/reduce.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "kernels/reduce/reduce.h"
#include "kernels/row/row.h"
#include "ops/support/axes_source.h"
#include "ops/support/shape_rules.h"

namespace onnxrun {
namespace {

template <class T>
inline constexpr bool kIsInteger = std::is_integral_v<T>;
// The type of totals: integers wrap around without being undefined.
template <class T>
using Sum = std::conditional_t<kIsInteger<T>, uint64_t, double>;

template <class T>
Sum<T> widen(T value) {
  if constexpr (kIsInteger<T>) return static_cast<uint64_t>(static_cast<int64_t>(value));
  if constexpr (!kIsInteger<T>) return static_cast<double>(value);
}

// A total as a number, for functions of it.
template <class T>
double number(Sum<T> total) {
  if constexpr (kIsInteger<T> && std::is_signed_v<T>) return static_cast<double>(static_cast<int64_t>(total));
  return static_cast<double>(total);
}

// The kernels of a reduction of floats: row and columns.
template <auto kFunctions>
struct FloatKernels {
  template <class Total>
  static void add_row(Total& total, const float* src, int64_t n) {
    (reduce_kernels().*kFunctions).row(total, src, static_cast<size_t>(n));
  }
  template <class Total>
  static void add_columns(Total* totals, const float* src, ptrdiff_t row_step, int64_t rows, int64_t n) {
    (reduce_kernels().*kFunctions).columns(totals, src, row_step, static_cast<size_t>(rows), static_cast<size_t>(n));
  }
};

struct NoKernels {};

template <class T>
struct SumReduction {
  using Total = Sum<T>;
  static Total start() { return 0; }
  static void add(Total& total, T value) { total += widen(value); }
  static void merge(Total& total, Total other) { total += other; }
  static void add_row(Total& total, const float* src, int64_t n) requires std::is_same_v<T, float> {
    constexpr int64_t kRun = 512;
    for (int64_t i = 0; i < n; i += kRun) {
      total += static_cast<double>(row_kernels().sum(src + i, static_cast<size_t>(std::min(kRun, n - i))));
    }
  }
  static void add_columns(Total* totals, const float* src, ptrdiff_t row_step, int64_t rows,
                          int64_t n) requires std::is_same_v<T, float> {
    FloatKernels<&ReduceKernels::sum>::add_columns(totals, src, row_step, rows, n);
  }
  template <class>
  static T finish(Total total, int64_t /*count*/) {
    return static_cast<T>(total);
  }
};

template <class T>
struct MeanReduction : SumReduction<T> {
  template <class>
  static T finish(Sum<T> total, int64_t count) {
    if constexpr (!kIsInteger<T>) return static_cast<T>(total / static_cast<double>(count));
    if constexpr (kIsInteger<T>) {
      if (count == 0) return 0;
      if constexpr (std::is_signed_v<T>) return static_cast<T>(static_cast<int64_t>(total) / count);
      return static_cast<T>(total / static_cast<uint64_t>(count));
    }
  }
};

template <class T>
struct ProdReduction : std::conditional_t<std::is_same_v<T, float>, FloatKernels<&ReduceKernels::product>, NoKernels> {
  using Total = Sum<T>;
  static Total start() { return 1; }
  static void add(Total& total, T value) { total *= widen(value); }
  static void merge(Total& total, Total other) { total *= other; }
  template <class>
  static T finish(Total total, int64_t /*count*/) {
    return static_cast<T>(total);
  }
};

template <class T>
struct L1Reduction : std::conditional_t<std::is_same_v<T, float>, FloatKernels<&ReduceKernels::magnitudes>, NoKernels> {
  using Total = Sum<T>;
  static Total start() { return 0; }
  static void add(Total& total, T value) {
    if constexpr (kIsInteger<T>) total += value < T(0) ? uint64_t{0} - widen(value) : widen(value);
    if constexpr (!kIsInteger<T>) total += std::fabs(widen(value));
  }
  static void merge(Total& total, Total other) { total += other; }
  template <class>
  static T finish(Total total, int64_t /*count*/) {
    return static_cast<T>(total);
  }
};

template <class T>
struct SumSquareReduction
    : std::conditional_t<std::is_same_v<T, float>, FloatKernels<&ReduceKernels::squares>, NoKernels> {
  using Total = Sum<T>;
  static Total start() { return 0; }
  static void add(Total& total, T value) { total += widen(value) * widen(value); }
  static void merge(Total& total, Total other) { total += other; }
  template <class>
  static T finish(Total total, int64_t /*count*/) {
    return static_cast<T>(total);
  }
};

template <class T>
struct L2Reduction : SumSquareReduction<T> {
  template <class>
  static T finish(Sum<T> total, int64_t /*count*/) {
    return static_cast<T>(std::sqrt(static_cast<double>(total)));
  }
};

// A logarithm as an element; that of zero is the least integer.
template <class T>
T log_as(double logarithm) {
  if constexpr (kIsInteger<T>) {
    if (!(logarithm > static_cast<double>(std::numeric_limits<T>::min()))) return std::numeric_limits<T>::min();
  }
  return static_cast<T>(logarithm);
}

template <class T>
struct LogSumReduction : SumReduction<T> {
  template <class>
  static T finish(Sum<T> total, int64_t /*count*/) {
    return log_as<T>(std::log(number<T>(total)));
  }
};

// The sum of exponentials relative to the largest element so far.
template <class T>
struct LogSumExpReduction {
  struct Total {
    double largest;
    double sum;
  };
  static Total start() { return {-std::numeric_limits<double>::infinity(), 0}; }
  static void add(Total& total, T value) { merge(total, {static_cast<double>(value), 1}); }
  static void merge(Total& total, const Total& other) {
    if (other.largest == total.largest) {
      total.sum += other.sum;
    } else if (other.largest > total.largest) {
      total = {other.largest, total.sum * std::exp(total.largest - other.largest) + other.sum};
    } else {
      total.sum += other.sum * std::exp(other.largest - total.largest);
    }
  }
  static void add_row(Total& total, const float* src, int64_t n) requires std::is_same_v<T, float> {
    constexpr int64_t kRun = 512;
    float exponentials[kRun];
    for (int64_t i = 0; i < n; i += kRun) {
      const auto count = static_cast<size_t>(std::min(kRun, n - i));
      const float largest = row_kernels().max(src + i, count);
      if (std::isfinite(largest)) {
        const float sum = row_kernels().exp_sum(src + i, exponentials, count, largest);
        merge(total, {static_cast<double>(largest), static_cast<double>(sum)});
      } else {
        for (size_t k = 0; k < count; ++k) add(total, src[i + static_cast<int64_t>(k)]);
      }
    }
  }
  template <class>
  static T finish(const Total& total, int64_t /*count*/) {
    return log_as<T>(std::log(total.sum) + total.largest);
  }
};

template <class T>
struct MaxReduction : std::conditional_t<std::is_same_v<T, float>, FloatKernels<&ReduceKernels::max>, NoKernels> {
  using Total = std::conditional_t<std::is_integral_v<T>, T, std::conditional_t<sizeof(T) == 8, double, float>>;
  static Total start() {
    if constexpr (kIsInteger<T>) return std::numeric_limits<T>::min();
    if constexpr (!kIsInteger<T>) return -std::numeric_limits<Total>::infinity();
  }
  static void add(Total& total, T value) { merge(total, static_cast<Total>(value)); }
  static void merge(Total& total, Total other) { total = other > total || other != other ? other : total; }
  template <class>
  static T finish(Total total, int64_t /*count*/) {
    return static_cast<T>(total);
  }
};

template <class T>
struct MinReduction : std::conditional_t<std::is_same_v<T, float>, FloatKernels<&ReduceKernels::min>, NoKernels> {
  using Total = typename MaxReduction<T>::Total;
  static Total start() {
    if constexpr (kIsInteger<T>) return std::numeric_limits<T>::max();
    if constexpr (!kIsInteger<T>) return std::numeric_limits<Total>::infinity();
  }
  static void add(Total& total, T value) { merge(total, static_cast<Total>(value)); }
  static void merge(Total& total, Total other) { total = other < total || other != other ? other : total; }
  template <class>
  static T finish(Total total, int64_t /*count*/) {
    return static_cast<T>(total);
  }
};

using WideTypes = TypeList<float, double, Half, BFloat16, int32_t, int64_t, uint32_t, uint64_t>;

// Since when the axes are an input; `Types` are the element types of any version.
template <template <class> class Reduction, int64_t AxesSince, class... Types>
class Reduce : public Operator {
 public:
  explicit Reduce(AttributeReader& attributes)
      : axes_(attributes, "axes", 1, AxesSince), keep_(attributes.flag("keepdims", true)) {
    if (attributes.version() >= AxesSince) noop_ = attributes.flag("noop_with_empty_axes", false);
  }

  void infer(InferContext& context) const override {
    const DimShape& shape = context.shape(0);
    const auto axes = axes_.read(context);
    if (!shape.has_rank()) return;
    if (!axes.is_known) {
      if (keep_) context.set_shape(0, DimShape::of_rank(shape.rank()));
      return;
    }
    const std::vector<bool> is_reduced = reduced(axes, shape.rank());
    std::vector<Dim> extents;
    for (size_t axis = 0; axis < shape.rank(); ++axis) {
      if (!is_reduced[axis]) extents.push_back(shape[axis]);
      if (is_reduced[axis] && keep_) extents.emplace_back(1);
    }
    const bool is_scalar = extents.empty();
    context.set_shape(0, std::move(extents));
    if (is_scalar || shape.rank() == 1) propagate(context);
  }

  void plan(PlanContext& context) const override {
    const Shape& shape = context.input(0).shape;
    const ops::ReduceLoops loops(shape, reduced(axes_.read(context), shape.rank()));
    dispatch_dtype<Types...>(context.input(0).dtype, [&]<class T>() {
      ops::plan_reduce(context, loops, ops::make_reduce_kernel<Reduction<T>, T>(), sizeof(T) == 2 ? 2 : 0.5);
    });
  }

 private:
  std::vector<bool> reduced(const ops::AxesSource::Axes& axes, size_t rank) const {
    if (axes.values.empty()) return std::vector<bool>(rank, !noop_);
    std::vector<bool> is_reduced(rank, false);
    for (const size_t axis : ops::normalize_axes(axes.values, rank)) is_reduced[axis] = true;
    return is_reduced;
  }

  // Products of shapes: Shape -> Gather -> ReduceProd.
  void propagate(InferContext& context) const {
    const Content* elements = context.content(0);
    if (!elements || noop_ || context.shape(0).rank() != 1) return;
    if constexpr (std::is_same_v<Reduction<int64_t>, ProdReduction<int64_t>>) {
      Dim product = 1;
      for (const Dim& element : *elements) product = product * element;
      context.set_content(0, {product});
    }
  }

  ops::AxesSource axes_;
  bool keep_;
  bool noop_ = false;
};

constexpr const char* kByAttribute = "data:T -> reduced:T";
constexpr const char* kByInput = "data:T, axes:int64? -> reduced:T";
constexpr DTypeSet kWide = {DType::int32, DType::int64, DType::uint32, DType::uint64};
constexpr DTypeSet kBytes = {DType::int8, DType::uint8};

template <template <class> class Reduction, int64_t AxesSince = 18>
void add(OpRegistry& registry, std::string_view name) {
  for (const int64_t version : {1, 11, 13, 18}) {
    if (version > std::max<int64_t>(AxesSince, 13)) continue;
    registry.add({.name = name,
                  .versions = {version},
                  .signature = version < AxesSince ? kByAttribute : kByInput,
                  .types = {{.name = "T", .tensors = kWide | (version < 13 ? kIeeeFloats : kFloats)}},
                  .create = make_operator<Reduce<Reduction, AxesSince, WideTypes>>});
  }
}

template <template <class> class Reduction>
void add_extremum(OpRegistry& registry, std::string_view name) {
  for (const int64_t version : {1, 11, 12, 13, 18, 20}) {
    DTypeSet types = kWide | (version < 13 ? kIeeeFloats : kFloats);
    if (version >= 12) types = types | kBytes;
    if (version >= 20) types = types | DTypeSet{DType::boolean};
    registry.add({.name = name,
                  .versions = {version},
                  .signature = version < 18 ? kByAttribute : kByInput,
                  .types = {{.name = "T", .tensors = types}},
                  .create = make_operator<Reduce<Reduction, 18, WideTypes, int8_t, uint8_t, bool>>});
  }
}

}  // namespace

void register_reduce(OpRegistry& registry) {
  add<SumReduction, 13>(registry, "ReduceSum");
  add<MeanReduction>(registry, "ReduceMean");
  add<ProdReduction>(registry, "ReduceProd");
  add<L1Reduction>(registry, "ReduceL1");
  add<L2Reduction>(registry, "ReduceL2");
  add<SumSquareReduction>(registry, "ReduceSumSquare");
  add<LogSumReduction>(registry, "ReduceLogSum");
  add<LogSumExpReduction>(registry, "ReduceLogSumExp");
  add_extremum<MaxReduction>(registry, "ReduceMax");
  add_extremum<MinReduction>(registry, "ReduceMin");
}

}  // namespace onnxrun
