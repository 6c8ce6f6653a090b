// Operators of the domain onnxrun that gradients are made of (graph/gradient_rules.h): FillLike, a tensor like the
// input with every element `value`; SumToShape, the first input summed over the axes along which the second was
// broadcast to it; MatMulGradient, the gradient of MatMul's operand 0 from (gradient, B, A), of operand 1 from (A,
// gradient, B), before summing over broadcast axes.
#include <algorithm>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "ops/support/matrix_multiply.h"
#include "ops/support/reduce.h"
#include "ops/support/shape_rules.h"

namespace onnxrun {
namespace {

class FillLike : public Operator {
 public:
  explicit FillLike(AttributeReader& attributes) : value_(attributes.number("value", 0)) {}

  void infer(InferContext& context) const override { context.set_type(0, context.type(0)); }

  void plan(PlanContext& context) const override {
    dispatch_dtype<FloatTypes>(context.output(0).dtype, [&]<class T>() {
      context.range(context.output(0).elements(), 0.2,
                    [value = T(value_)](const TileContext& tile, int64_t begin, int64_t end) {
                      std::fill(tile.output<T>(0) + begin, tile.output<T>(0) + end, value);
                    });
    });
  }

 private:
  float value_;
};

struct Sum {
  using Total = double;
  static double start() { return 0; }
  template <class T>
  static void add(double& total, T x) {
    total += static_cast<double>(x);
  }
  static void merge(double& total, double other) { total += other; }
  template <class T>
  static T finish(double total, int64_t /*count*/) {
    return static_cast<T>(total);
  }
};

class SumToShape : public Operator {
 public:
  explicit SumToShape(AttributeReader& /*attributes*/) {}

  void infer(InferContext& context) const override {
    const DimShape& from = context.shape(0);
    const DimShape& to = context.shape(1);
    if (from.is_concrete() && to.is_concrete() && !(ops::broadcast(to, from) == from)) {
      context.fail(from.to_string() + " is no broadcast of " + to.to_string());
    }
    context.set_output(0, context.dtype(0), to);
  }

  void plan(PlanContext& context) const override {
    const Shape& from = context.input(0).shape;
    const Shape& to = context.input(1).shape;
    if (from == to) return context.view(0, 0);
    const size_t missing = from.rank() - to.rank();
    std::vector<bool> is_reduced(from.rank());
    for (size_t axis = 0; axis < from.rank(); ++axis) {
      is_reduced[axis] = axis < missing || (to[axis - missing] == 1 && from[axis] != 1);
    }
    dispatch_dtype<FloatTypes>(context.input(0).dtype, [&]<class T>() {
      ops::plan_reduce(context, ops::ReduceLoops(from, is_reduced), ops::make_reduce_kernel<Sum, T>(), 0.5);
    });
  }
};

class MatMulGradient : public Operator {
 public:
  explicit MatMulGradient(AttributeReader& attributes) : is_first_(attributes.integer("operand", 0) == 0) {}

  void infer(InferContext& context) const override {
    const DimShape& a = context.shape(is_first_ ? 2 : 0);
    const DimShape& b = context.shape(is_first_ ? 1 : 2);
    if (!a.has_rank() || !b.has_rank() || a.rank() == 0 || b.rank() == 0) return;
    std::vector<Dim> shape = ops::broadcast(DimShape(batch(a)), DimShape(batch(b))).dims();
    const DimShape& operand = is_first_ ? a : b;
    shape.insert(shape.end(), operand.begin() + static_cast<ptrdiff_t>(operand.rank() - matrix_rank(operand)),
                 operand.end());
    context.set_output(0, context.dtype(0), std::move(shape));
  }

  void plan(PlanContext& context) const override {
    const Shape& a = context.input(is_first_ ? 2 : 0).shape;
    const Shape& b = context.input(is_first_ ? 1 : 2).shape;
    const auto m = static_cast<size_t>(a.rank() == 1 ? 1 : a[a.rank() - 2]);
    const auto k = static_cast<size_t>(a.back());
    const auto n = static_cast<size_t>(b.rank() == 1 ? 1 : b.back());
    ops::MatrixMultiply product;
    product.m = is_first_ ? m : k;
    product.n = is_first_ ? k : n;
    product.k = is_first_ ? n : m;
    // The gradient is [m, n] as it stands, the other operand is transposed.
    product.a_row_stride = is_first_ ? static_cast<ptrdiff_t>(n) : 1;
    product.a_col_stride = is_first_ ? 1 : static_cast<ptrdiff_t>(k);
    product.b_row_stride = is_first_ ? 1 : static_cast<ptrdiff_t>(n);
    product.b_col_stride = is_first_ ? static_cast<ptrdiff_t>(n) : 1;
    const Shape a_batch{std::span<const int64_t>(batch(a))};
    const Shape b_batch{std::span<const int64_t>(batch(b))};
    const Shape all = ops::broadcast(a_batch, b_batch);
    const auto strides = ops::broadcast_strides(is_first_ ? b_batch : a_batch, all);
    ops::StridedLoop<2> loop;
    loop.add_axis(all.elements() == 0 ? 0 : 1, {0, 0});
    const auto dense = ops::row_major_strides(all);
    for (size_t axis = 0; axis < all.rank(); ++axis) loop.add_axis(all[axis], {dense[axis], strides[axis]});
    std::vector<size_t> gradients;
    std::vector<size_t> others;
    loop.for_outer(
        0, loop.outer_count(0),
        [&](const auto& offsets) {
          gradients.push_back(static_cast<size_t>(offsets[0]) * m * n);
          others.push_back(static_cast<size_t>(offsets[1]) * k * (is_first_ ? n : m));
        },
        0);
    product.a_offsets = is_first_ ? gradients : others;
    product.b_offsets = is_first_ ? others : gradients;
    ops::plan_matrix_multiply(context, product);
  }

 private:
  template <class AnyShape>
  static size_t matrix_rank(const AnyShape& shape) {
    return std::min<size_t>(2, shape.rank());
  }
  template <class AnyShape>
  static std::vector<std::decay_t<decltype(std::declval<AnyShape>()[0])>> batch(const AnyShape& shape) {
    return {shape.begin(), shape.end() - static_cast<ptrdiff_t>(matrix_rank(shape))};
  }

  bool is_first_;
};

}  // namespace

void register_gradient_support(OpRegistry& registry) {
  const auto add = [&](std::string_view name, std::string_view signature, OperatorFactory create) {
    registry.add({.domain = "onnxrun",
                  .name = name,
                  .versions = {1},
                  .signature = signature,
                  .types = {{.name = "T", .tensors = kFloats}},
                  .create = create});
  };
  add("FillLike", "like:T -> Y:T", make_operator<FillLike>);
  add("SumToShape", "X:T, like:T -> Y:T", make_operator<SumToShape>);
  add("MatMulGradient", "A:T, B:T, like:T -> Y:T", make_operator<MatMulGradient>);
}

}  // namespace onnxrun
