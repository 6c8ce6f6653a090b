// Identity: https://onnx.ai/onnx/operators/onnx__Identity.html, versions 1, 13, 14 (sequences), 16 (optionals), 19, 21,
// 23, 24, 25. A view of a tensor; other values are handed on.
#include "graph/registry.h"
#include "ops/support/elementwise.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

class Identity : public Operator {
 public:
  explicit Identity(AttributeReader& /*attributes*/) {}

  OperatorTraits traits() const override { return {.any_value = true}; }

  void infer(InferContext& context) const override {
    ops::infer_same(context);
    if (const Content* elements = context.content(0)) context.set_content(0, *elements);
  }

  void plan(PlanContext& context) const override { context.view(0, 0); }

  void run(RunContext& context) const override { context.set(0, context.take(0)); }
};

}  // namespace

void register_identity(OpRegistry& registry) {
  ops::add_versions(
      registry,
      {.name = "Identity", .versions = {1, 13}, .signature = "input:T -> output:T", .create = make_operator<Identity>});
  for (const int64_t version : {14, 16, 19, 21, 23, 24, 25}) {
    const DTypeSet optionals = version >= 16 ? kClassicTypes : DTypeSet{};
    registry.add(
        {.name = "Identity",
         .versions = {version},
         .signature = "input:V -> output:V",
         .types =
             {{.name = "V", .tensors = ops::types_since(version), .sequences = kClassicTypes, .optionals = optionals}},
         .create = make_operator<Identity>});
  }
}

}  // namespace onnxrun
