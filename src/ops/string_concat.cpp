// StringConcat: https://onnx.ai/onnx/operators/onnx__StringConcat.html, version 20.
#include "graph/registry.h"
#include "ops/support/binary_row.h"
#include "ops/support/shape_rules.h"

namespace onnxrun {
namespace {

class StringConcat : public Operator {
 public:
  explicit StringConcat(AttributeReader& /*attributes*/) {}

  void infer(InferContext& context) const override { context.set_shape(0, ops::broadcast_inputs(context)); }

  void plan(PlanContext& context) const override {
    const auto concat = [](const std::string& a, const std::string& b) { return a + b; };
    ops::plan_broadcast(context, 0, 1, DType::string, 40, ops::binary_row_of<std::string, std::string>(concat));
  }
};

}  // namespace

void register_string_concat(OpRegistry& registry) {
  registry.add({.name = "StringConcat",
                .versions = {20},
                .signature = "X:T, Y:T -> Z:T",
                .types = {{.name = "T", .tensors = {DType::string}}},
                .create = make_operator<StringConcat>});
}

}  // namespace onnxrun
