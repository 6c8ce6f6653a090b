// Optional (version 15), OptionalGetElement, OptionalHasElement (15, 18): other values count as optionals that hold
// them, in version 15 too, where loops turn one into the other: https://onnx.ai/onnx/operators/onnx__Optional.html.
#include "graph/registry.h"

namespace onnxrun {
namespace {

class OptionalOperator : public Operator {
 public:
  explicit OptionalOperator(AttributeReader& attributes) : type_(attributes.type("type")) {}

  OperatorTraits traits() const override { return {.whole_values = true}; }

  void infer(InferContext& context) const override {
    if (!context.has_input(0) && !type_) context.fail("an empty optional needs the attribute 'type'");
    context.set_type(0, Type::optional(context.has_input(0) ? context.type(0) : Type::of(*type_)));
  }

  void run(RunContext& context) const override {
    Optional optional;
    if (context.has_input(0)) {
      optional.element = std::make_shared<const Value>(context.value(0));
      optional.element_type = std::make_shared<const ValueType>(Type::of(*optional.element).declared());
    } else {
      optional.element_type = std::make_shared<const ValueType>(*type_);
    }
    context.set(0, std::move(optional));
  }

 private:
  std::optional<ValueType> type_;
};

class OptionalGetElement : public Operator {
 public:
  explicit OptionalGetElement(AttributeReader& /*attributes*/) {}

  OperatorTraits traits() const override { return {.whole_values = true}; }

  void infer(InferContext& context) const override {
    const Type& type = context.type(0);
    if (type.kind != ValueKind::optional) return context.set_type(0, type);
    if (type.element) context.set_type(0, *type.element);
  }

  void run(RunContext& context) const override {
    Value value = context.take(0);
    if (value.kind() != ValueKind::optional) return context.set(0, std::move(value));
    const auto& element = value.optional().element;
    if (!element) RunContext::fail("the optional is empty");
    context.set(0, *element);
  }
};

class OptionalHasElement : public Operator {
 public:
  explicit OptionalHasElement(AttributeReader& /*attributes*/) {}

  OperatorTraits traits() const override { return {.whole_values = true}; }

  void infer(InferContext& context) const override { context.set_output(0, DType::boolean, std::vector<Dim>{}); }

  void run(RunContext& context) const override {
    bool has_element = context.has_input(0);
    if (has_element) {
      const Value value = context.value(0);
      has_element = value.kind() != ValueKind::optional || value.optional().element != nullptr;
    }
    *context.output<bool>(0, DType::boolean, {}) = has_element;
  }
};

constexpr DTypeSet kNone = {};

TypeConstraint any_of(const char* name, bool with_others, bool with_optionals) {
  return {.name = name,
          .tensors = with_others ? kClassicTypes : kNone,
          .sequences = with_others ? kClassicTypes : kNone,
          .optionals = with_optionals ? kClassicTypes : kNone};
}

}  // namespace

void register_optional(OpRegistry& registry) {
  registry.add({.name = "Optional",
                .versions = {15},
                .signature = "input:V? -> output:O",
                .types = {any_of("V", true, false), any_of("O", false, true)},
                .create = make_operator<OptionalOperator>});
  for (const int64_t version : {15, 18}) {
    registry.add({.name = "OptionalGetElement",
                  .versions = {version},
                  .signature = "input:O -> output:V",
                  .types = {any_of("O", true, true), any_of("V", true, false)},
                  .create = make_operator<OptionalGetElement>});
    registry.add({.name = "OptionalHasElement",
                  .versions = {version},
                  .signature = version < 18 ? "input:O -> output:bool" : "input:O? -> output:bool",
                  .types = {any_of("O", true, true)},
                  .create = make_operator<OptionalHasElement>});
  }
}

}  // namespace onnxrun
