// Add, Sub, Mul, Div (versions 1, 6, 7, 13, 14) and PRelu (1, 6, 7, 9, 16): https://onnx.ai/onnx/operators/. Integers
// wrap around; an integer divided by zero is zero.
#include "graph/registry.h"
#include "kernels/binary/binary.h"
#include "ops/support/elementwise.h"
#include "ops/support/legacy_broadcast.h"
#include "ops/support/shape_rules.h"

namespace onnxrun {
namespace {

// Known elements of shapes go through the arithmetic on them.
Dim apply(BinaryKind kind, const Dim& a, const Dim& b) {
  switch (kind) {
    case BinaryKind::add:
      return a + b;
    case BinaryKind::sub:
      return a - b;
    case BinaryKind::mul:
      return a * b;
    case BinaryKind::div:
      // Integer division rounds to zero: the same as the floor where nothing is negative.
      if (a.is_number() && b.is_number() && !b.is(0) && !b.is(-1)) return a.number() / b.number();
      return b.is_number() && b.number() > 0 && !a.is_number() ? floor_div(a, b) : Dim::unknown();
    default:
      return Dim::unknown();
  }
}

template <BinaryKind Kind>
class BinaryArithmetic : public Operator {
 public:
  explicit BinaryArithmetic(AttributeReader& attributes) : broadcast_(attributes) {}

  void infer(InferContext& context) const override {
    context.set_shape(0, broadcast_.infer(context.shape(0), context.shape(1)));
    ops::propagate_content(context, [](const Dim& a, const Dim& b) { return apply(Kind, a, b); });
  }

  void plan(PlanContext& context) const override {
    const TensorType& a = context.input(0);
    const bool is_half = kFloats.contains(a.dtype) && bit_size(a.dtype) == 16;
    const DType row_dtype = is_half ? DType::float32 : a.dtype;
    ops::plan_broadcast_as(context, 0, 1, broadcast_.second(a.shape, context.input(1).shape), row_dtype, 0.2,
                           binary_row(Kind, row_dtype));
  }

 private:
  ops::BinaryBroadcast broadcast_;
};

// The slope of PRelu is broadcast to the input, which keeps its shape; before version 7 it is one number a channel.
class PRelu : public Operator {
 public:
  explicit PRelu(AttributeReader& attributes) : per_channel_(attributes.version() < 7) {
    attributes.ignore("consumed_inputs");
  }

  void infer(InferContext& context) const override { ops::infer_same(context); }

  void plan(PlanContext& context) const override {
    const TensorType& x = context.input(0);
    Shape slope = context.input(1).shape;
    if (per_channel_ && slope.rank() == 1 && slope[0] != 1) {
      while (slope.rank() + 1 < x.shape.rank()) slope.push_back(1);
    }
    const bool is_half = kFloats.contains(x.dtype) && bit_size(x.dtype) == 16;
    const DType row_dtype = is_half ? DType::float32 : x.dtype;
    ops::plan_broadcast_as(context, 0, 1, slope, row_dtype, 0.2, binary_row(BinaryKind::prelu, row_dtype));
  }

 private:
  bool per_channel_;
};

template <BinaryKind Kind>
void add(OpRegistry& registry, std::string_view name) {
  const DTypeSet wide = {DType::int32, DType::int64, DType::uint32, DType::uint64};
  const std::pair<std::vector<int64_t>, DTypeSet> groups[] = {
      {{1}, kIeeeFloats}, {{6, 7}, kIeeeFloats | wide}, {{13}, kFloats | wide}, {{14}, kNumbers}};
  for (const auto& [versions, types] : groups) {
    registry.add({.name = name,
                  .versions = versions,
                  .signature = "A:T, B:T -> C:T",
                  .types = {{.name = "T", .tensors = types}},
                  .create = make_operator<BinaryArithmetic<Kind>>});
  }
}

}  // namespace

void register_binary_arithmetic(OpRegistry& registry) {
  add<BinaryKind::add>(registry, "Add");
  add<BinaryKind::sub>(registry, "Sub");
  add<BinaryKind::mul>(registry, "Mul");
  add<BinaryKind::div>(registry, "Div");
  const DTypeSet wide = {DType::int32, DType::int64, DType::uint32, DType::uint64};
  const std::pair<std::vector<int64_t>, DTypeSet> groups[] = {
      {{1, 6, 7}, kIeeeFloats}, {{9}, kIeeeFloats | wide}, {{16}, kFloats | wide}};
  for (const auto& [versions, types] : groups) {
    registry.add({.name = "PRelu",
                  .versions = versions,
                  .signature = "X:T, slope:T -> Y:T",
                  .types = {{.name = "T", .tensors = types}},
                  .create = make_operator<PRelu>});
  }
}

}  // namespace onnxrun
