// Unique: https://onnx.ai/onnx/operators/onnx__Unique.html, version 11. NaN equals NaN and is larger than every number.
#include <algorithm>
#include <numeric>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "ops/support/axis_view.h"
#include "ops/support/shape_rules.h"

namespace onnxrun {
namespace {

template <class T>
int compare(const T& a, const T& b) {
  if constexpr (std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>) {
    const int real = compare(a.real(), b.real());
    return real != 0 ? real : compare(a.imag(), b.imag());
  } else {
    if (a < b) return -1;
    if (b < a) return 1;
    return static_cast<int>(!(a == a)) - static_cast<int>(!(b == b));
  }
}

// The parts of a tensor along an axis, or its elements, and which of them are equal.
template <class T>
class Parts {
 public:
  Parts(const T* data, const ops::AxisView& view) : data_(data), view_(view) {}

  int compare_parts(int64_t i, int64_t j) const {
    for (int64_t outer = 0; outer < view_.outer; ++outer) {
      const T* a = data_ + (outer * view_.extent + i) * view_.inner;
      const T* b = data_ + (outer * view_.extent + j) * view_.inner;
      for (int64_t k = 0; k < view_.inner; ++k) {
        if (const int order = compare(a[k], b[k]); order != 0) return order;
      }
    }
    return 0;
  }

  // For each distinct part where it first occurs, sorted or in the order of occurrence; fills `inverse` and `counts`.
  std::vector<int64_t> group(bool sorted, std::vector<int64_t>& inverse, std::vector<int64_t>& counts) const {
    std::vector<int64_t> order(static_cast<size_t>(view_.extent));
    std::iota(order.begin(), order.end(), int64_t{0});
    std::stable_sort(order.begin(), order.end(), [&](int64_t i, int64_t j) { return compare_parts(i, j) < 0; });
    std::vector<std::pair<int64_t, int64_t>> groups;  // first occurrence, count
    std::vector<size_t> group_of(order.size());
    for (size_t i = 0; i < order.size(); ++i) {
      if (i == 0 || compare_parts(order[i - 1], order[i]) != 0) groups.emplace_back(order[i], 0);
      ++groups.back().second;
      group_of[static_cast<size_t>(order[i])] = groups.size() - 1;
    }
    std::vector<size_t> ranks(groups.size());
    std::iota(ranks.begin(), ranks.end(), size_t{0});
    if (!sorted) {
      std::sort(ranks.begin(), ranks.end(), [&](size_t a, size_t b) { return groups[a].first < groups[b].first; });
    }
    std::vector<int64_t> position(groups.size());
    std::vector<int64_t> firsts;
    for (size_t rank = 0; rank < ranks.size(); ++rank) {
      position[ranks[rank]] = static_cast<int64_t>(rank);
      firsts.push_back(groups[ranks[rank]].first);
      counts.push_back(groups[ranks[rank]].second);
    }
    for (const size_t group : group_of) inverse.push_back(position[group]);
    return firsts;
  }

  void copy(const std::vector<int64_t>& chosen, T* dst) const {
    for (int64_t outer = 0; outer < view_.outer; ++outer) {
      for (const int64_t k : chosen) {
        dst = std::copy_n(data_ + (outer * view_.extent + k) * view_.inner, view_.inner, dst);
      }
    }
  }

 private:
  const T* data_;
  ops::AxisView view_;
};

class Unique : public Operator {
 public:
  explicit Unique(AttributeReader& attributes) : sorted_(attributes.flag("sorted", true)) {
    if (attributes.has("axis")) axis_ = attributes.required_integer("axis");
  }

  OperatorTraits traits() const override { return {.data_dependent = true}; }

  void infer(InferContext& context) const override {
    for (size_t j = 1; j < 4; ++j) context.set_output(j, DType::int64, DimShape::of_rank(1));
    if (!axis_) return context.set_shape(0, DimShape::of_rank(1));
    if (!context.shape(0).has_rank()) return;
    DimShape shape = context.shape(0);
    shape[ops::normalize_axis(*axis_, shape.rank())] = Dim::unknown();
    context.set_shape(0, shape);
  }

  void run(RunContext& context) const override {
    const TensorView input = context.input(0);
    Shape shape = axis_ ? input.shape : Shape{input.elements()};
    const size_t axis = axis_ ? ops::normalize_axis(*axis_, shape.rank()) : 0;
    std::vector<int64_t> firsts;
    std::vector<int64_t> inverse;
    std::vector<int64_t> counts;
    using Types = TypeList<bool, float, double, Half, std::string, std::complex<float>, std::complex<double>>;
    dispatch_dtype<IntegerTypes, Types>(input.dtype, [&]<class T>() {
      const Parts<T> parts(static_cast<const T*>(input.data), ops::AxisView(shape, axis));
      firsts = parts.group(sorted_, inverse, counts);
      shape[axis] = static_cast<int64_t>(firsts.size());
      parts.copy(firsts, context.output<T>(0, input.dtype, shape));
    });
    const std::vector<int64_t>* lists[] = {&firsts, &inverse, &counts};
    for (size_t j = 1; j < 4; ++j) {
      if (!context.wants(j)) continue;
      const auto& list = *lists[j - 1];
      std::copy(list.begin(), list.end(),
                context.output<int64_t>(j, DType::int64, {static_cast<int64_t>(list.size())}));
    }
  }

 private:
  bool sorted_;
  std::optional<int64_t> axis_;
};

}  // namespace

void register_unique(OpRegistry& registry) {
  registry.add({.name = "Unique",
                .versions = {11},
                .signature = "X:T -> Y:T, indices:int64?, inverse_indices:int64?, counts:int64?",
                .types = {{.name = "T", .tensors = kClassicTypes}},
                .create = make_operator<Unique>});
}

}  // namespace onnxrun
