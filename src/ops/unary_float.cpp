// Elementwise functions of one float operand: https://onnx.ai/onnx/operators/, each version as registered below. All of
// them take float32 by a vectorised kernel, float64 by the C library, 16-bit floats through float32.
#include "graph/registry.h"
#include "ops/support/elementwise.h"

namespace onnxrun {
namespace {

// Default values of up to two float attributes.
struct Parameter {
  std::string_view name;
  float otherwise = 0;
};

template <UnaryKind Kind>
constexpr Parameter kAlpha{};
template <UnaryKind Kind>
constexpr Parameter kBeta{};
template <>
constexpr Parameter kAlpha<UnaryKind::leaky_relu>{"alpha", 0.01F};
template <>
constexpr Parameter kAlpha<UnaryKind::elu>{"alpha", 1.0F};
template <>
constexpr Parameter kAlpha<UnaryKind::selu>{"alpha", 1.67326319217681884765625F};
template <>
constexpr Parameter kBeta<UnaryKind::selu>{"gamma", 1.05070102214813232421875F};
template <>
constexpr Parameter kAlpha<UnaryKind::celu>{"alpha", 1.0F};
template <>
constexpr Parameter kAlpha<UnaryKind::thresholded_relu>{"alpha", 1.0F};
template <>
constexpr Parameter kAlpha<UnaryKind::hard_sigmoid>{"alpha", 0.2F};
template <>
constexpr Parameter kBeta<UnaryKind::hard_sigmoid>{"beta", 0.5F};
template <>
constexpr Parameter kAlpha<UnaryKind::silu>{"alpha", 1.0F};

// Nanoseconds an element, measured in order of magnitude: cheap arithmetic, and functions with an exponential.
constexpr double cost(UnaryKind kind) { return kind < UnaryKind::exp ? 0.1 : 1.0; }

template <UnaryKind Kind>
class UnaryFloat : public Operator {
 public:
  explicit UnaryFloat(AttributeReader& attributes) {
    attributes.ignore("consumed_inputs");
    float defaults[2] = {kAlpha<Kind>.otherwise, kBeta<Kind>.otherwise};
    if constexpr (Kind == UnaryKind::selu) {
      // Version 1 rounds its constants to four digits.
      if (attributes.version() == 1) {
        defaults[0] = 1.6732F;
        defaults[1] = 1.0507F;
      }
    }
    if (!kAlpha<Kind>.name.empty()) alpha_ = attributes.number(kAlpha<Kind>.name, defaults[0]);
    if (!kBeta<Kind>.name.empty()) beta_ = attributes.number(kBeta<Kind>.name, defaults[1]);
  }

  void infer(InferContext& context) const override { ops::infer_same(context); }
  void plan(PlanContext& context) const override { ops::plan_float_unary(context, cost(Kind), Kind, alpha_, beta_); }

 private:
  float alpha_ = 0;
  float beta_ = 0;
};

class Gelu : public Operator {
 public:
  explicit Gelu(AttributeReader& attributes)
      : kind_(attributes.one_of("approximate", {"none", "tanh"}) == "tanh" ? UnaryKind::gelu_tanh
                                                                           : UnaryKind::gelu_erf) {}

  void infer(InferContext& context) const override { ops::infer_same(context); }
  void plan(PlanContext& context) const override { ops::plan_float_unary(context, cost(kind_), kind_); }

 private:
  UnaryKind kind_;
};

// A group of versions that take the same types.
struct Versions {
  std::vector<int64_t> versions;
  DTypeSet types;
};

template <UnaryKind Kind>
void add(OpRegistry& registry, std::string_view name, const std::vector<Versions>& groups) {
  for (const Versions& group : groups) {
    registry.add({.name = name,
                  .versions = group.versions,
                  .signature = "X:T -> Y:T",
                  .types = {{.name = "T", .tensors = group.types}},
                  .create = make_operator<UnaryFloat<Kind>>});
  }
}

}  // namespace

void register_unary_float(OpRegistry& registry) {
  using enum UnaryKind;
  const std::vector<Versions> math = {{{1, 6}, kIeeeFloats}, {{13}, kFloats}};
  add<reciprocal>(registry, "Reciprocal", math);
  add<sqrt>(registry, "Sqrt", math);
  add<floor>(registry, "Floor", math);
  add<ceil>(registry, "Ceil", math);
  add<exp>(registry, "Exp", math);
  add<log>(registry, "Log", math);
  add<tanh>(registry, "Tanh", math);
  add<sigmoid>(registry, "Sigmoid", math);
  add<round>(registry, "Round", {{{11}, kIeeeFloats}, {{22}, kFloats}});
  add<leaky_relu>(registry, "LeakyRelu", {{{1, 6}, kIeeeFloats}, {{16}, kFloats}});
  const std::vector<Versions> activation = {{{1, 6}, kIeeeFloats}, {{22}, kFloats}};
  add<elu>(registry, "Elu", activation);
  add<selu>(registry, "Selu", activation);
  add<hard_sigmoid>(registry, "HardSigmoid", activation);
  add<softplus>(registry, "Softplus", {{{1}, kIeeeFloats}, {{22}, kFloats}});
  add<softsign>(registry, "Softsign", {{{1}, kIeeeFloats}, {{22}, kFloats}});
  add<thresholded_relu>(registry, "ThresholdedRelu", {{{10}, kIeeeFloats}, {{22}, kFloats}});
  add<celu>(registry, "Celu", {{{12}, {DType::float32}}, {{28}, kFloats}});
  add<hard_swish>(registry, "HardSwish", {{{14}, kIeeeFloats}, {{22}, kFloats}});
  add<mish>(registry, "Mish", {{{18}, kIeeeFloats}, {{22}, kFloats}});
  add<silu>(registry, "Swish", {{{24}, kFloats}});
  const std::vector<Versions> first7 = {{{7}, kIeeeFloats}, {{22}, kFloats}};
  add<sin>(registry, "Sin", first7);
  add<cos>(registry, "Cos", first7);
  add<tan>(registry, "Tan", first7);
  add<asin>(registry, "Asin", first7);
  add<acos>(registry, "Acos", first7);
  add<atan>(registry, "Atan", first7);
  const std::vector<Versions> first9 = {{{9}, kIeeeFloats}, {{22}, kFloats}};
  add<sinh>(registry, "Sinh", first9);
  add<cosh>(registry, "Cosh", first9);
  add<asinh>(registry, "Asinh", first9);
  add<acosh>(registry, "Acosh", first9);
  add<atanh>(registry, "Atanh", first9);
  registry.add({.name = "Gelu",
                .versions = {20},
                .signature = "X:T -> Y:T",
                .types = {{.name = "T", .tensors = kFloats}},
                .create = make_operator<Gelu>});
}

}  // namespace onnxrun
