// SequenceConstruct, SequenceEmpty, SequenceAt, SequenceErase, SequenceLength: version 11,
// https://onnx.ai/onnx/operators/onnx__SequenceConstruct.html and its like.
#include "graph/registry.h"
#include "ops/support/sequence_position.h"

namespace onnxrun {
namespace {

class SequenceConstruct : public Operator {
 public:
  explicit SequenceConstruct(AttributeReader& /*attributes*/) {}

  OperatorTraits traits() const override { return {.whole_values = true}; }

  void infer(InferContext& context) const override {
    Type element = context.type(0);
    for (size_t i = 1; i < context.input_count(); ++i) element = join(element, context.type(i));
    context.set_type(0, Type::sequence(std::move(element)));
  }

  void run(RunContext& context) const override {
    Sequence sequence;
    for (size_t i = 0; i < context.input_count(); ++i) sequence.elements.push_back(context.value(i));
    context.set(0, std::move(sequence));
  }
};

class SequenceEmpty : public Operator {
 public:
  explicit SequenceEmpty(AttributeReader& attributes) : dtype_(attributes.dtype("dtype", DType::float32)) {}

  OperatorTraits traits() const override { return {.whole_values = true}; }

  void infer(InferContext& context) const override {
    context.set_type(0, Type::sequence(Type::tensor(dtype_, DimShape::unknown())));
  }

  void run(RunContext& context) const override {
    const Type element = Type::tensor(dtype_, DimShape::unknown());
    context.set(0, Sequence{std::make_shared<const ValueType>(element.declared()), {}});
  }

 private:
  DType dtype_;
};

class SequenceAt : public Operator {
 public:
  explicit SequenceAt(AttributeReader& /*attributes*/) {}

  OperatorTraits traits() const override { return {.whole_values = true}; }

  void infer(InferContext& context) const override {
    if (context.type(0).element) context.set_type(0, *context.type(0).element);
  }

  void run(RunContext& context) const override {
    const Value sequence = context.value(0);
    const auto& elements = sequence.sequence().elements;
    const int64_t position = ops::read_position(context, 1, static_cast<int64_t>(elements.size()), 0);
    context.set(0, elements[static_cast<size_t>(position)]);
  }
};

// Erases from the sequence itself where nobody reads it later.
class SequenceErase : public Operator {
 public:
  explicit SequenceErase(AttributeReader& /*attributes*/) {}

  OperatorTraits traits() const override { return {.whole_values = true}; }

  void infer(InferContext& context) const override { context.set_type(0, context.type(0)); }

  void run(RunContext& context) const override {
    Value sequence = context.take(0);
    std::vector<Value>& elements = sequence.sequence().elements;
    const auto size = static_cast<int64_t>(elements.size());
    if (size == 0) RunContext::fail("nothing can be erased from an empty sequence");
    elements.erase(elements.begin() + ops::read_position(context, 1, size, size - 1));
    context.set(0, std::move(sequence));
  }
};

class SequenceLength : public Operator {
 public:
  explicit SequenceLength(AttributeReader& /*attributes*/) {}

  OperatorTraits traits() const override { return {.whole_values = true}; }

  void infer(InferContext& context) const override { context.set_output(0, DType::int64, std::vector<Dim>{}); }

  void run(RunContext& context) const override {
    const Value sequence = context.value(0);
    *context.output<int64_t>(0, DType::int64, {}) = static_cast<int64_t>(sequence.sequence().elements.size());
  }
};

void add(OpRegistry& registry, std::string_view name, std::string_view signature, OperatorFactory create) {
  registry.add({.name = name,
                .versions = {11},
                .signature = signature,
                .types = {{.name = "T", .tensors = kClassicTypes},
                          {.name = "S", .sequences = kClassicTypes},
                          {.name = "I", .tensors = {DType::int32, DType::int64}}},
                .create = create});
}

}  // namespace

void register_sequence(OpRegistry& registry) {
  add(registry, "SequenceConstruct", "inputs:T... -> output_sequence:S", make_operator<SequenceConstruct>);
  add(registry, "SequenceEmpty", "-> output:S", make_operator<SequenceEmpty>);
  add(registry, "SequenceAt", "input_sequence:S, position:I -> tensor:T", make_operator<SequenceAt>);
  add(registry, "SequenceErase", "input_sequence:S, position:I? -> output_sequence:S", make_operator<SequenceErase>);
  add(registry, "SequenceLength", "input_sequence:S -> length:int64", make_operator<SequenceLength>);
}

}  // namespace onnxrun
