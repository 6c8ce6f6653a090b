// If: https://onnx.ai/onnx/operators/onnx__If.html, versions 1, 11, 13, 16, 19, 21, 23, 24, 25.
#include "graph/registry.h"

namespace onnxrun {
namespace {

class If : public Operator {
 public:
  explicit If(AttributeReader& attributes)
      : then_branch_(attributes.required_graph("then_branch")),
        else_branch_(attributes.required_graph("else_branch")) {}

  OperatorTraits traits() const override { return {.data_dependent = true}; }

  void infer(InferContext& context) const override {
    const Dim elements = context.shape(0).elements();
    if (elements.is_number() && !elements.is(1)) context.fail("the condition must have one element");
    for (const auto* branch : {&then_branch_, &else_branch_}) {
      if ((*branch)->outputs.size() != context.output_count()) {
        context.fail("a branch has " + std::to_string((*branch)->outputs.size()) + " outputs, the node " +
                     std::to_string(context.output_count()));
      }
    }
    const auto taken = context.infer_subgraph(*then_branch_, {});
    const auto other = context.infer_subgraph(*else_branch_, {});
    for (size_t j = 0; j < context.output_count(); ++j) context.set_type(j, join(taken[j].type, other[j].type));
  }

  void run(RunContext& context) const override {
    const bool condition = context.input(0).values<bool>()[0];
    std::vector<Value> outputs = context.run_subgraph(condition ? *then_branch_ : *else_branch_, {});
    for (size_t j = 0; j < outputs.size(); ++j) context.set(j, std::move(outputs[j]));
  }

 private:
  std::shared_ptr<const Graph> then_branch_;
  std::shared_ptr<const Graph> else_branch_;
};

}  // namespace

void register_if(OpRegistry& registry) {
  registry.add({.name = "If",
                .versions = {1, 11, 13, 16, 19, 21, 23, 24, 25},
                .signature = "cond:bool -> outputs:V*...",
                .types = {{.name = "V", .any = true}},
                .create = make_operator<If>});
}

}  // namespace onnxrun
