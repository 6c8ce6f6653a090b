// TopK: https://onnx.ai/onnx/operators/onnx__TopK.html, versions 1 (k is an attribute), 10, 11 (largest, sorted), 24.
// Equal elements come in the order of their positions; NaN is larger than everything. Always sorted.
#include <algorithm>
#include <numeric>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "ops/support/axis_view.h"
#include "ops/support/shape_rules.h"

namespace onnxrun {
namespace {

// Whether `a` is larger than `b`.
template <class T>
bool exceeds(T a, T b) {
  if constexpr (std::is_integral_v<T>) return a > b;
  if constexpr (!std::is_integral_v<T>) return a > b || (a != a && b == b);
}

// The positions of the best k of n elements, `step` apart, in order.
template <class T>
void select(const T* src, int64_t step, int64_t n, int64_t k, bool largest, int64_t* positions) {
  const auto is_better = [=](T a, T b) { return largest ? exceeds(a, b) : exceeds(b, a); };
  const auto is_before = [=](int64_t i, int64_t j) {
    const T a = src[i * step];
    const T b = src[j * step];
    return is_better(a, b) || (!is_better(b, a) && i < j);
  };
  if (k * 8 < n) {
    // A heap of the best so far, the worst of them on top: few elements get past it.
    std::iota(positions, positions + k, int64_t{0});
    std::make_heap(positions, positions + k, is_before);
    for (int64_t i = k; i < n; ++i) {
      if (!is_better(src[i * step], src[positions[0] * step])) continue;
      std::pop_heap(positions, positions + k, is_before);
      positions[k - 1] = i;
      std::push_heap(positions, positions + k, is_before);
    }
    std::sort_heap(positions, positions + k, is_before);
  } else {
    std::iota(positions, positions + n, int64_t{0});
    if (k < n) std::nth_element(positions, positions + k, positions + n, is_before);
    std::sort(positions, positions + k, is_before);
  }
}

class TopK : public Operator {
 public:
  explicit TopK(AttributeReader& attributes) : axis_(attributes.integer("axis", -1)) {
    if (attributes.version() < 10) k_ = attributes.required_integer("k");
    if (attributes.version() >= 11) {
      largest_ = attributes.flag("largest", true);
      attributes.ignore("sorted");
    }
  }

  void infer(InferContext& context) const override {
    context.set_dtype(1, DType::int64);
    const DimShape& shape = context.shape(0);
    Dim k = Dim::unknown();
    if (k_) {
      k = *k_;
    } else if (const Content* content = context.required_content(1)) {
      if (content->size() != 1) context.fail("K must have one element");
      k = content->front();
    }
    if (!shape.has_rank()) return;
    const size_t axis = ops::normalize_axis(axis_, shape.rank());
    if (k.is_number() && (k.number() < 0 || (shape[axis].is_number() && k.number() > shape[axis].number()))) {
      context.fail("k is " + k.to_string() + " for an extent of " + shape[axis].to_string());
    }
    DimShape result = shape;
    result[axis] = k;
    context.set_shape(0, result);
    context.set_shape(1, result);
  }

  void plan(PlanContext& context) const override {
    const Shape& shape = context.input(0).shape;
    const size_t axis = ops::normalize_axis(axis_, shape.rank());
    const ops::AxisView view(shape, axis);
    const int64_t k = context.wants(0) ? context.output(0).shape[axis] : context.output(1).shape[axis];
    const size_t scratch = context.scratch(static_cast<size_t>(view.extent) * sizeof(int64_t));
    const int64_t lines = k == 0 ? 0 : view.outer * view.inner;
    dispatch_dtype<NumberTypes>(context.input(0).dtype, [&]<class T>() {
      context.range(lines, static_cast<double>(view.extent) * 5 + 20,
                    [=, wants_values = context.wants(0), wants_indices = context.wants(1), largest = largest_](
                        const TileContext& tile, int64_t begin, int64_t end) {
                      auto* positions = reinterpret_cast<int64_t*>(tile.scratch + scratch);
                      for (int64_t line = begin; line < end; ++line) {
                        const int64_t outer = line / view.inner;
                        const int64_t inner = line % view.inner;
                        const T* src = tile.input<T>(0) + outer * view.extent * view.inner + inner;
                        select(src, view.inner, view.extent, k, largest, positions);
                        for (int64_t i = 0; i < k; ++i) {
                          const int64_t at = (outer * k + i) * view.inner + inner;
                          if (wants_values) tile.output<T>(0)[at] = src[positions[i] * view.inner];
                          if (wants_indices) tile.output<int64_t>(1)[at] = positions[i];
                        }
                      }
                    });
    });
  }

 private:
  int64_t axis_;
  std::optional<int64_t> k_;
  bool largest_ = true;
};

}  // namespace

void register_top_k(OpRegistry& registry) {
  const std::pair<int64_t, DTypeSet> groups[] = {
      {1, kIeeeFloats}, {10, kIeeeFloats}, {11, kIntegers | kIeeeFloats}, {24, kNumbers}};
  for (const auto& [version, types] : groups) {
    registry.add(
        {.name = "TopK",
         .versions = {version},
         .signature = version < 10 ? "X:T -> Values:T, Indices:int64" : "X:T, K:int64 -> Values:T, Indices:int64",
         .types = {{.name = "T", .tensors = types}},
         .create = make_operator<TopK>});
  }
}

}  // namespace onnxrun
