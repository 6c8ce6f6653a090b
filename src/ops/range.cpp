// Range: https://onnx.ai/onnx/operators/onnx__Range.html, versions 11, 27 (float16, bfloat16, stash_type). Element i is
// start + i * delta, in the precision of the type, 16-bit floats in float.
#include <algorithm>
#include <cmath>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/shape_rules.h"

namespace onnxrun {
namespace {

constexpr DTypeSet kOriginal = {DType::float32, DType::float64, DType::int16, DType::int32, DType::int64};

// The type in which elements are computed.
template <class T>
using Wide = std::conditional_t<sizeof(T) == 2 && !std::is_integral_v<T>, float, T>;

template <class T>
int64_t count_of(T start, T limit, T delta) {
  if (delta == T(0)) throw Error(ErrorCode::run_failed, "delta is 0");
  if constexpr (std::is_integral_v<T>) {
    if (delta > 0 ? start >= limit : start <= limit) return 0;
    const auto wide = [](T value) { return static_cast<uint64_t>(static_cast<int64_t>(value)); };
    const uint64_t distance = delta > 0 ? wide(limit) - wide(start) : wide(start) - wide(limit);
    const uint64_t step = delta > 0 ? wide(delta) : uint64_t{0} - wide(delta);
    const uint64_t count = (distance - 1) / step + 1;
    if (count > uint64_t{1} << 62) throw Error(ErrorCode::limit, "the range is too long");
    return static_cast<int64_t>(count);
  } else {
    const double count =
        std::ceil((static_cast<double>(limit) - static_cast<double>(start)) / static_cast<double>(delta));
    if (std::isnan(count)) throw Error(ErrorCode::run_failed, "the range has no length");
    if (count > 0x1p62) throw Error(ErrorCode::limit, "the range is too long");
    return count > 0 ? static_cast<int64_t>(count) : 0;
  }
}

class Range : public Operator {
 public:
  explicit Range(AttributeReader& attributes) {
    if (attributes.version() >= 27) attributes.ignore("stash_type");
  }

  void infer(InferContext& context) const override {
    context.set_shape(0, DimShape::of_rank(1));
    for (size_t i = 0; i < 3; ++i) {
      const Dim elements = context.shape(i).elements();
      if (elements.is_number() && !elements.is(1)) context.fail("start, limit and delta must have one element each");
    }
    if (infer_symbolic(context)) return;
    const Tensor* start = context.required_constant(0);
    const Tensor* limit = context.required_constant(1);
    const Tensor* delta = context.required_constant(2);
    if (!start || !limit || !delta) return;
    dispatch_dtype<float, double, Half, BFloat16, int16_t, int32_t, int64_t>(start->dtype(), [&]<class T>() {
      const auto at = [](const Tensor& tensor) { return static_cast<Wide<T>>(tensor.values<T>()[0]); };
      const int64_t count = count_of<Wide<T>>(at(*start), at(*limit), at(*delta));
      context.set_shape(0, {Dim(count)});
      if constexpr (std::is_integral_v<T>) {
        if (count > kMaxContentElements) return;
        Content content;
        for (int64_t i = 0; i < count; ++i) content.emplace_back(static_cast<int64_t>(at(*start)) + i * at(*delta));
        context.set_content(0, std::move(content));
      }
    });
  }

  void plan(PlanContext& context) const override {
    dispatch_dtype<float, double, Half, BFloat16, int16_t, int32_t, int64_t>(context.output(0).dtype, [&]<class T>() {
      context.range(context.output(0).elements(), 0.5, [](const TileContext& tile, int64_t begin, int64_t end) {
        const auto start = static_cast<Wide<T>>(*tile.input<T>(0));
        const auto delta = static_cast<Wide<T>>(*tile.input<T>(2));
        T* dst = tile.output<T>(0);
        for (int64_t i = begin; i < end; ++i) dst[i] = static_cast<T>(start + static_cast<Wide<T>>(i) * delta);
      });
    });
  }

 private:
  // Range(0, n, 1) of a symbolic n.
  static bool infer_symbolic(InferContext& context) {
    const Content* start = context.content(0);
    const Content* limit = context.content(1);
    const Content* delta = context.content(2);
    if (!start || !limit || !delta || start->size() != 1 || limit->size() != 1 || delta->size() != 1) return false;
    const Dim& first = start->front();
    const Dim& past = limit->front();
    const Dim& step = delta->front();
    if (!step.is_number() || step.number() <= 0 || !first.is_known() || !past.is_known()) return false;
    if (first.is_number() && past.is_number()) {
      const int64_t count = count_of<int64_t>(first.number(), past.number(), step.number());
      context.set_shape(0, {Dim(count)});
      Content content;
      for (int64_t i = 0; i < std::min(count, kMaxContentElements + 1); ++i) {
        content.emplace_back(first.number() + i * step.number());
      }
      context.set_content(0, std::move(content));
    } else {
      // A symbol is never negative.
      const Dim length = ceil_div(past - first, step);
      context.set_shape(0, {first.is(0) && past.is_expression() ? length : max(length, 0)});
    }
    return true;
  }
};

}  // namespace

void register_range(OpRegistry& registry) {
  registry.add({.name = "Range",
                .versions = {11},
                .signature = "start:T, limit:T, delta:T -> output:T",
                .types = {{.name = "T", .tensors = kOriginal}},
                .create = make_operator<Range>});
  registry.add({.name = "Range",
                .versions = {27},
                .signature = "start:T, limit:T, delta:T -> output:T",
                .types = {{.name = "T", .tensors = kOriginal | kFloats}},
                .create = make_operator<Range>});
}

}  // namespace onnxrun
