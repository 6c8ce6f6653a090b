// Equal (versions 1, 7, 11, 13, 19), Less and Greater (1, 7, 9, 13), LessOrEqual and GreaterOrEqual (12, 16):
// https://onnx.ai/onnx/operators/. NaN is equal to nothing and neither less nor greater.
#include "graph/registry.h"
#include "kernels/binary/binary.h"
#include "ops/support/binary_row.h"
#include "ops/support/legacy_broadcast.h"
#include "ops/support/shape_rules.h"

namespace onnxrun {
namespace {

Dim compare(BinaryKind kind, const Dim& a, const Dim& b) {
  if (a == b) return kind == BinaryKind::less || kind == BinaryKind::greater ? 0 : 1;
  if (!a.is_number() || !b.is_number()) return Dim::unknown();
  if (kind == BinaryKind::equal) return 0;
  const bool is_less = a.number() < b.number();
  return is_less == (kind == BinaryKind::less || kind == BinaryKind::less_or_equal) ? 1 : 0;
}

template <BinaryKind Kind>
class Comparison : public Operator {
 public:
  explicit Comparison(AttributeReader& attributes) : broadcast_(attributes) {}

  void infer(InferContext& context) const override {
    context.set_output(0, DType::boolean, broadcast_.infer(context.shape(0), context.shape(1)));
    ops::propagate_content(context, [](const Dim& a, const Dim& b) { return compare(Kind, a, b); });
  }

  void plan(PlanContext& context) const override {
    const DType dtype = context.input(0).dtype;
    const Shape second = broadcast_.second(context.input(0).shape, context.input(1).shape);
    if (dtype == DType::string) {
      const auto equal = [](const std::string& a, const std::string& b) { return a == b; };
      ops::plan_broadcast_as(context, 0, 1, second, dtype, 10, ops::binary_row_of<std::string, bool>(equal));
      return;
    }
    const DType row = ops::row_dtype(dtype);
    ops::plan_broadcast_as(context, 0, 1, second, row, 0.2, binary_row(Kind, row));
  }

 private:
  ops::BinaryBroadcast broadcast_;
};

using Group = std::pair<std::vector<int64_t>, DTypeSet>;

template <BinaryKind Kind>
void add(OpRegistry& registry, std::string_view name, const std::vector<Group>& groups) {
  for (const auto& [versions, types] : groups) {
    registry.add({.name = name,
                  .versions = versions,
                  .signature = "A:T, B:T -> C:bool",
                  .types = {{.name = "T", .tensors = types}},
                  .create = make_operator<Comparison<Kind>>});
  }
}

}  // namespace

void register_comparison(OpRegistry& registry) {
  const DTypeSet first = {DType::boolean, DType::int32, DType::int64};
  const DTypeSet boolean = {DType::boolean};
  const DTypeSet string = {DType::string};
  add<BinaryKind::equal>(registry, "Equal",
                         {{{1, 7}, first},
                          {{11}, kIntegers | kIeeeFloats | boolean},
                          {{13}, kNumbers | boolean},
                          {{19}, kNumbers | boolean | string}});
  const std::vector<Group> strict = {{{1, 7}, kIeeeFloats}, {{9}, kIntegers | kIeeeFloats}, {{13}, kNumbers}};
  add<BinaryKind::less>(registry, "Less", strict);
  add<BinaryKind::greater>(registry, "Greater", strict);
  const std::vector<Group> weak = {{{12}, kIntegers | kIeeeFloats}, {{16}, kNumbers}};
  add<BinaryKind::less_or_equal>(registry, "LessOrEqual", weak);
  add<BinaryKind::greater_or_equal>(registry, "GreaterOrEqual", weak);
}

}  // namespace onnxrun
