// LpPool: https://onnx.ai/onnx/operators/onnx__LpPool.html, versions 1 (p is a float), 2, 11, 18 (ceil_mode,
// dilations), 22; and GlobalLpPool, versions 1, 2, 22. (sum |x|^p)^(1/p); sums in float32 (float64 for float64), p = 1
// and p = 2 without powers.
#include <algorithm>
#include <cmath>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "ops/support/pooling.h"

namespace onnxrun {
namespace {

template <class T>
using SumOf = std::conditional_t<std::is_same_v<T, double>, double, float>;

// The p-norm as a sum of terms and a function of the sum.
template <class Sum>
struct Norm {
  Sum p;

  // Calls body(term), term(x) = |x|^p.
  template <class Body>
  void with_term(Body&& body) const {
    if (p == 1) {
      body([](Sum x) { return std::abs(x); });
    } else if (p == 2) {
      body([](Sum x) { return x * x; });
    } else {
      body([exponent = p](Sum x) { return std::pow(std::abs(x), exponent); });
    }
  }
  Sum finish(Sum sum) const { return p == 1 ? sum : p == 2 ? std::sqrt(sum) : std::pow(sum, 1 / p); }
};

// p of a pool: a float in version 1.
double read_p(AttributeReader& attributes) {
  if (attributes.version() < 2) return static_cast<double>(attributes.number("p", 2));
  return static_cast<double>(attributes.integer("p", 2));
}

class LpPool : public Operator {
 public:
  explicit LpPool(AttributeReader& attributes) : window_(attributes, true), p_(read_p(attributes)) {}

  void infer(InferContext& context) const override { ops::infer_pool(context, window_); }

  void plan(PlanContext& context) const override {
    const auto shared = ops::make_pooling(context, window_);
    const Shape& x = context.input(0).shape;
    const double cost = static_cast<double>(shared->all_taps.size() + 1) * 5;
    dispatch_dtype<FloatTypes>(context.input(0).dtype, [&]<class T>() {
      const Norm<SumOf<T>> norm{static_cast<SumOf<T>>(p_)};
      context.range(x[0] * x[1], cost, [=](const TileContext& tile, int64_t begin, int64_t end) {
        for (int64_t map = begin; map < end; ++map) {
          pool(*shared, norm, tile.input<T>(0) + map * shared->input_size(),
               tile.output<T>(0) + map * shared->output_size());
        }
      });
    });
  }

 private:
  template <class T>
  static void pool(const ops::Pooling& pooling, const Norm<SumOf<T>>& norm, const T* src, T* dst) {
    using Sum = SumOf<T>;
    std::vector<Sum> sums(static_cast<size_t>(pooling.output.back()));
    for (int64_t row = 0; row < pooling.row_count(); ++row) {
      std::fill(sums.begin(), sums.end(), Sum(0));
      norm.with_term([&](auto term) {
        for (const ops::Pooling::Tap& tap : pooling.taps(row)) {
          const T* from = src + tap.offset;
          Sum* to = sums.data() + tap.begin;
          if (tap.stride == 1) {
            for (int64_t i = 0; i < tap.end - tap.begin; ++i) to[i] += term(static_cast<Sum>(from[i]));
          } else {
            for (int64_t i = 0; i < tap.end - tap.begin; ++i) to[i] += term(static_cast<Sum>(from[i * tap.stride]));
          }
        }
      });
      T* out = dst + row * pooling.output.back();
      for (size_t i = 0; i < sums.size(); ++i) out[i] = static_cast<T>(norm.finish(sums[i]));
    }
  }

  ops::WindowAttributes window_;
  double p_;
};

class GlobalLpPool : public Operator {
 public:
  explicit GlobalLpPool(AttributeReader& attributes) : p_(read_p(attributes)) {}

  void infer(InferContext& context) const override {
    const DimShape& x = context.shape(0);
    if (!x.has_rank()) return;
    if (x.rank() < 2) context.fail("a pool takes [N, C, ...], the input has rank " + std::to_string(x.rank()));
    DimShape shape = x;
    for (size_t axis = 2; axis < x.rank(); ++axis) shape[axis] = 1;
    context.set_shape(0, std::move(shape));
  }

  void plan(PlanContext& context) const override {
    const Shape& x = context.input(0).shape;
    const int64_t size = x.elements(2, x.rank());
    dispatch_dtype<FloatTypes>(context.input(0).dtype, [&]<class T>() {
      const Norm<SumOf<T>> norm{static_cast<SumOf<T>>(p_)};
      context.range(
          x[0] * x[1], static_cast<double>(size) + 5, [=](const TileContext& tile, int64_t begin, int64_t end) {
            for (int64_t map = begin; map < end; ++map) {
              tile.output<T>(0)[map] = static_cast<T>(norm.finish(sum(norm, tile.input<T>(0) + map * size, size)));
            }
          });
    });
  }

 private:
  // In chains, of which the order of the sum is made.
  template <class T>
  static SumOf<T> sum(const Norm<SumOf<T>>& norm, const T* src, int64_t n) {
    constexpr int64_t kChains = 16;
    SumOf<T> chains[kChains] = {};
    norm.with_term([&](auto term) {
      int64_t i = 0;
      for (; i + kChains <= n; i += kChains) {
        for (int64_t k = 0; k < kChains; ++k) chains[k] += term(static_cast<SumOf<T>>(src[i + k]));
      }
      for (; i < n; ++i) chains[i % kChains] += term(static_cast<SumOf<T>>(src[i]));
    });
    SumOf<T> total = 0;
    for (const SumOf<T> chain : chains) total += chain;
    return total;
  }

  double p_;
};

template <class Op>
void add(OpRegistry& registry, std::string_view name, const std::vector<int64_t>& versions, DTypeSet types) {
  registry.add({.name = name,
                .versions = versions,
                .signature = "X:T -> Y:T",
                .types = {{.name = "T", .tensors = types}},
                .create = make_operator<Op>});
}

}  // namespace

void register_lp_pool(OpRegistry& registry) {
  add<LpPool>(registry, "LpPool", {1, 2, 11, 18}, kIeeeFloats);
  add<LpPool>(registry, "LpPool", {22}, kFloats);
  add<GlobalLpPool>(registry, "GlobalLpPool", {1, 2}, kIeeeFloats);
  add<GlobalLpPool>(registry, "GlobalLpPool", {22}, kFloats);
}

}  // namespace onnxrun
