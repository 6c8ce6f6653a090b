// SequenceMap: https://onnx.ai/onnx/operators/onnx__SequenceMap.html, version 17. The elements are mapped in order.
#include <memory>
#include <string>
#include <vector>

#include "graph/registry.h"
#include "onnxrun/error.h"
#include "onnxrun/value.h"
#include "ops/support/shape_rules.h"

namespace onnxrun {
namespace {

class SequenceMap : public Operator {
 public:
  explicit SequenceMap(AttributeReader& attributes) : body_(attributes.required_graph("body")) {}

  OperatorTraits traits() const override { return {.whole_values = true}; }

  void infer(InferContext& context) const override {
    if (context.input_count() != body_->inputs.size() || context.output_count() != body_->outputs.size()) {
      context.fail("the body's inputs and outputs do not fit those of the node");
    }
    std::vector<ValueFact> inputs(context.input_count());
    for (size_t i = 0; i < inputs.size(); ++i) {
      const Type& type = context.type(i);
      if (type.kind != ValueKind::sequence) {
        inputs[i] = context.fact(i);
      } else if (type.element) {
        inputs[i].type = *type.element;
      }
    }
    const std::vector<ValueFact> outputs = context.infer_subgraph(*body_, inputs);
    for (size_t j = 0; j < outputs.size(); ++j) context.set_type(j, Type::sequence(outputs[j].type));
  }

  void run(RunContext& context) const override {
    std::vector<Value> inputs;
    for (size_t i = 0; i < context.input_count(); ++i) inputs.push_back(context.value(i));
    const size_t length = inputs[0].sequence().elements.size();
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i].kind() == ValueKind::sequence && inputs[i].sequence().elements.size() != length) {
        RunContext::fail("input " + std::to_string(i) + " has " + std::to_string(inputs[i].sequence().elements.size()) +
                         " elements, the first one has " + std::to_string(length));
      }
    }
    std::vector<Sequence> results(body_->outputs.size());
    for (size_t j = 0; j < results.size(); ++j) {
      const Type& type = body_->value(body_->outputs[j]).type;
      if (type.kind != ValueKind::none) results[j].element_type = std::make_shared<const ValueType>(type.declared());
    }
    for (size_t k = 0; k < length; ++k) {
      std::vector<Value> arguments;
      arguments.reserve(inputs.size());
      for (const Value& input : inputs) {
        arguments.push_back(input.kind() == ValueKind::sequence ? input.sequence().elements[k] : input);
      }
      std::vector<Value> outputs = context.run_subgraph(*body_, std::move(arguments));
      for (size_t j = 0; j < outputs.size(); ++j) results[j].elements.push_back(std::move(outputs[j]));
    }
    for (size_t j = 0; j < results.size(); ++j) {
      if (context.wants(j)) context.set(j, std::move(results[j]));
    }
  }

 private:
  std::shared_ptr<const Graph> body_;
};

}  // namespace

void register_sequence_map(OpRegistry& registry) {
  registry.add({.name = "SequenceMap",
                .versions = {17},
                .signature = "input_sequence:S, additional_inputs:V*...? -> out_sequence:S*...",
                .types = {{.name = "S", .sequences = kClassicTypes},
                          {.name = "V", .tensors = kClassicTypes, .sequences = kClassicTypes}},
                .create = make_operator<SequenceMap>});
}

}  // namespace onnxrun
