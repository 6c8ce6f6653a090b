// SequenceInsert: https://onnx.ai/onnx/operators/onnx__SequenceInsert.html, version 11. Inserts into the sequence
// itself where nobody reads it later, so that a chain of insertions is linear.
#include "graph/registry.h"
#include "ops/support/sequence_position.h"

namespace onnxrun {
namespace {

class SequenceInsert : public Operator {
 public:
  explicit SequenceInsert(AttributeReader& /*attributes*/) {}

  OperatorTraits traits() const override { return {.whole_values = true}; }

  void infer(InferContext& context) const override {
    const Type& sequence = context.type(0);
    context.set_type(0, Type::sequence(sequence.element ? join(*sequence.element, context.type(1)) : Type{}));
  }

  void run(RunContext& context) const override {
    Value sequence = context.take(0);
    std::vector<Value>& elements = sequence.sequence().elements;
    const auto size = static_cast<int64_t>(elements.size());
    const int64_t position = ops::read_position(context, 2, size, size, true);
    elements.insert(elements.begin() + position, context.value(1));
    context.set(0, std::move(sequence));
  }
};

}  // namespace

void register_sequence_insert(OpRegistry& registry) {
  registry.add({.name = "SequenceInsert",
                .versions = {11},
                .signature = "input_sequence:S, tensor:T, position:I? -> output_sequence:S",
                .types = {{.name = "T", .tensors = kClassicTypes},
                          {.name = "S", .sequences = kClassicTypes},
                          {.name = "I", .tensors = {DType::int32, DType::int64}}},
                .create = make_operator<SequenceInsert>});
}

}  // namespace onnxrun
