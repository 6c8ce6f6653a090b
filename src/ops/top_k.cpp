// TopK: https://onnx.ai/onnx/operators/onnx__TopK.html, versions 1 (k is an attribute), 10, 11 (largest, sorted), 24.
// Equal elements come in the order of their positions; NaN is larger than everything. Always sorted.
#include <algorithm>
#include <bit>
#include <functional>
#include <type_traits>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "ops/support/axis_view.h"
#include "ops/support/shape_rules.h"

namespace onnxrun {
namespace {

__extension__ using uint128_t = unsigned __int128;

template <class T>
struct OrderedType {
  using type = std::conditional_t<sizeof(T) == sizeof(uint64_t), uint64_t, uint32_t>;
};
template <class T>
requires std::is_integral_v<T>
struct OrderedType<T> : std::make_unsigned<T> {
};
template <class T>
using Ordered = typename OrderedType<T>::type;

// An unsigned number that is larger where x is: the same for both zeros, the largest for NaN.
template <class T>
Ordered<T> ordered(T x) {
  using U = Ordered<T>;
  constexpr U kSign = U(1) << (sizeof(U) * 8 - 1);
  if constexpr (std::is_integral_v<T>) {
    return static_cast<U>(static_cast<U>(x) ^ (std::is_signed_v<T> ? kSign : U(0)));
  } else if constexpr (std::is_floating_point_v<T>) {
    const U bits = std::bit_cast<U>(x + T(0));  // -0 + 0 is 0
    if (x != x) return ~U(0);
    return (bits & kSign) != 0 ? ~bits : bits | kSign;
  } else {
    return ordered(static_cast<float>(x));
  }
}

// The best k of n elements, `step` apart, in order. A Key is a value, the larger the better, above the complement of
// its position: no two are equal.
template <class Key, class T>
class Selection {
 public:
  using Value = Ordered<T>;
  static constexpr int kIndexBits = sizeof(Key) * 4;

  // Keys that are collected before all but the best k are dropped.
  static int64_t capacity(int64_t n, int64_t k) { return std::min(n, 2 * k + 1024); }

  // `keys`: memory for capacity(n, k) of them, of which the first k are the result.
  Selection(const T* src, int64_t step, int64_t n, int64_t k, bool largest, Key* keys)
      : src_(src), step_(step), k_(k), flip_(largest ? Value(0) : static_cast<Value>(~Value(0))), keys_(keys) {
    const int64_t room = capacity(n, k);
    for (int64_t i = 0; i < room; ++i) keys_[count_++] = key(i);
    for (int64_t begin = room; begin < n;) {
      keep_best();
      const T threshold = src[position(keys_[k - 1]) * step];
      begin = largest ? collect(begin, n, room, [=](T x) { return !(x <= threshold); })
                      : collect(begin, n, room, [=](T x) { return !(x >= threshold); });
    }
    if (count_ > k_) keep_best();
    std::sort(keys_, keys_ + k_, std::greater<>());
  }

  static int64_t position(Key key) { return static_cast<int64_t>(~key & ((Key(1) << kIndexBits) - 1)); }

 private:
  Key key(int64_t i) const {
    const auto value = static_cast<Value>(ordered(src_[i * step_]) ^ flip_);
    return static_cast<Key>(value) << kIndexBits | (~static_cast<Key>(i) & ((Key(1) << kIndexBits) - 1));
  }

  void keep_best() {
    std::nth_element(keys_, keys_ + k_ - 1, keys_ + count_, std::greater<>());
    count_ = k_;
  }

  // Adds the keys of elements that may be better than the worst of the best, until there is no room; returns where to
  // go on.
  template <class MayBeBetter>
  int64_t collect(int64_t begin, int64_t end, int64_t room, MayBeBetter may_be_better) {
    constexpr int64_t kStretch = 16;
    while (begin < end && count_ < room) {
      const int64_t n = std::min(kStretch, end - begin);
      if (n == kStretch && step_ == 1) {
        bool any = false;
        for (int64_t i = 0; i < kStretch; ++i) any |= may_be_better(src_[begin + i]);
        if (!any) {
          begin += kStretch;
          continue;
        }
      }
      for (const int64_t stop = begin + n; begin < stop && count_ < room; ++begin) {
        if (may_be_better(src_[begin * step_])) keys_[count_++] = key(begin);
      }
    }
    return begin;
  }

  const T* src_;
  int64_t step_, k_;
  Value flip_;
  Key* keys_;
  int64_t count_ = 0;
};

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
    dispatch_dtype<NumberTypes>(context.input(0).dtype, [&]<class T>() {
      if constexpr (sizeof(T) <= sizeof(uint32_t)) {
        if (view.extent <= int64_t{1} << 32) return plan_with<T, uint64_t>(context, view, k);
      }
      plan_with<T, uint128_t>(context, view, k);
    });
  }

 private:
  template <class T, class Key>
  void plan_with(PlanContext& context, const ops::AxisView& view, int64_t k) const {
    using Best = Selection<Key, T>;
    const size_t scratch = context.scratch(static_cast<size_t>(Best::capacity(view.extent, k)) * sizeof(Key));
    const int64_t lines = k == 0 ? 0 : view.outer * view.inner;
    context.range(lines, static_cast<double>(view.extent) + static_cast<double>(k) * 20 + 20,
                  [=, wants_values = context.wants(0), wants_indices = context.wants(1), largest = largest_](
                      const TileContext& tile, int64_t begin, int64_t end) {
                    auto* keys = reinterpret_cast<Key*>(tile.scratch + scratch);
                    for (int64_t line = begin; line < end; ++line) {
                      const int64_t outer = line / view.inner;
                      const int64_t inner = line % view.inner;
                      const T* src = tile.input<T>(0) + outer * view.extent * view.inner + inner;
                      Best(src, view.inner, view.extent, k, largest, keys);
                      for (int64_t i = 0; i < k; ++i) {
                        const int64_t at = (outer * k + i) * view.inner + inner;
                        const int64_t position = Best::position(keys[i]);
                        if (wants_values) tile.output<T>(0)[at] = src[position * view.inner];
                        if (wants_indices) tile.output<int64_t>(1)[at] = position;
                      }
                    }
                  });
  }

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
