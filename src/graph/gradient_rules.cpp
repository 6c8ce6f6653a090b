#include "graph/gradient_rules.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>

#include "graph/passes/pattern.h"
#include "onnxrun/error.h"

namespace onnxrun {
namespace {

constexpr int64_t kOpset = 21;

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::unsupported_operator, message); }

// Versions before 7 could place the second operand at an axis.
void refuse_legacy_broadcast(const GradientCall& call) {
  if (call.node.opset < 7 && integer_attribute(call.node, "broadcast", 0) != 0) {
    refuse("the gradient of " + call.node.op_type + " with the attribute 'broadcast' is not supported");
  }
}

void add_rule(GradientCall& c) {
  refuse_legacy_broadcast(c);
  for (size_t i = 0; i < c.node.inputs.size(); ++i) {
    if (c.wants(i)) c.give(i, c.build.sum_to(c.g(), c.x(i)));
  }
}

void sub_rule(GradientCall& c) {
  refuse_legacy_broadcast(c);
  if (c.wants(0)) c.give(0, c.build.sum_to(c.g(), c.x(0)));
  if (c.wants(1)) c.give(1, c.build.sum_to(c.build.add("Neg", {c.g()}), c.x(1)));
}

void mul_rule(GradientCall& c) {
  refuse_legacy_broadcast(c);
  for (size_t i = 0; i < 2; ++i) {
    if (c.wants(i)) c.give(i, c.build.sum_to(c.build.add("Mul", {c.g(), c.x(1 - i)}), c.x(i)));
  }
}

void div_rule(GradientCall& c) {
  refuse_legacy_broadcast(c);
  const ValueId quotient = c.build.add("Div", {c.g(), c.x(1)});
  if (c.wants(0)) c.give(0, c.build.sum_to(quotient, c.x(0)));
  if (!c.wants(1)) return;
  c.give(1, c.build.sum_to(c.build.add("Neg", {c.build.add("Mul", {quotient, c.y()})}), c.x(1)));
}

void pow_rule(GradientCall& c) {
  refuse_legacy_broadcast(c);
  auto& b = c.build;
  if (c.wants(0)) {
    const ValueId exponent = b.add("CastLike", {c.x(1), c.x(0)});
    const ValueId power = b.add("Pow", {c.x(0), b.add("Sub", {exponent, b.fill_like(exponent, 1)})});
    c.give(0, b.sum_to(b.add("Mul", {c.g(), b.add("Mul", {exponent, power})}), c.x(0)));
  }
  if (c.wants(1)) {
    const ValueId slope = b.add("CastLike", {b.add("Mul", {c.y(), b.add("Log", {c.x(0)})}), c.x(1)});
    c.give(1, b.sum_to(b.add("Mul", {b.add("CastLike", {c.g(), c.x(1)}), slope}), c.x(1)));
  }
}

// The mean of n operands.
void mean_rule(GradientCall& c) {
  const ValueId part = c.build.add("Div", {c.g(), c.build.fill_like(c.g(), static_cast<float>(c.node.inputs.size()))});
  for (size_t i = 0; i < c.node.inputs.size(); ++i) {
    if (c.wants(i)) c.give(i, c.build.sum_to(part, c.x(i)));
  }
}

// Equal largest or smallest operands share the gradient.
void extremum_rule(GradientCall& c) {
  auto& b = c.build;
  const ValueId one = b.fill_like(c.y(), 1);
  const ValueId zero = b.fill_like(c.y(), 0);
  std::vector<ValueId> masks;
  for (const ValueId x : c.node.inputs) masks.push_back(b.add("Where", {b.add("Equal", {x, c.y()}), one, zero}));
  const ValueId part = b.add("Div", {c.g(), b.add("Sum", masks)});
  for (size_t i = 0; i < masks.size(); ++i) {
    if (c.wants(i)) c.give(i, b.sum_to(b.add("Mul", {part, masks[i]}), c.x(i)));
  }
}

// Rules of the form g * f'(x).
void scale(GradientCall& c, ValueId slope) { c.give(0, c.build.add("Mul", {c.g(), slope})); }

void neg_rule(GradientCall& c) { c.give(0, c.build.add("Neg", {c.g()})); }
void abs_rule(GradientCall& c) { scale(c, c.build.add("Sign", {c.x()})); }
void exp_rule(GradientCall& c) { scale(c, c.y()); }
void log_rule(GradientCall& c) { c.give(0, c.build.add("Div", {c.g(), c.x()})); }
void sqrt_rule(GradientCall& c) {
  c.give(0, c.build.add("Div", {c.build.add("Mul", {c.g(), c.build.fill_like(c.y(), 0.5F)}), c.y()}));
}
void reciprocal_rule(GradientCall& c) { scale(c, c.build.add("Neg", {c.build.add("Mul", {c.y(), c.y()})})); }
void sigmoid_rule(GradientCall& c) {
  scale(c, c.build.add("Mul", {c.y(), c.build.add("Sub", {c.build.fill_like(c.y(), 1), c.y()})}));
}
void tanh_rule(GradientCall& c) {
  scale(c, c.build.add("Sub", {c.build.fill_like(c.y(), 1), c.build.add("Mul", {c.y(), c.y()})}));
}
void sin_rule(GradientCall& c) { scale(c, c.build.add("Cos", {c.x()})); }
void cos_rule(GradientCall& c) { scale(c, c.build.add("Neg", {c.build.add("Sin", {c.x()})})); }
void softplus_rule(GradientCall& c) { scale(c, c.build.add("Sigmoid", {c.x()})); }
void erf_rule(GradientCall& c) {
  const ValueId density = c.build.add("Exp", {c.build.add("Neg", {c.build.add("Mul", {c.x(), c.x()})})});
  scale(c, c.build.add("Mul", {c.build.fill_like(c.x(), 1.12837917F), density}));
}

// Slopes on either side of 0; at 0 that of the left.
void two_sided(GradientCall& c, ValueId left) {
  const ValueId positive = c.build.add("Greater", {c.x(), c.build.fill_like(c.x(), 0)});
  c.give(0, c.build.add("Where", {positive, c.g(), left}));
}
void relu_rule(GradientCall& c) { two_sided(c, c.build.fill_like(c.g(), 0)); }
void leaky_relu_rule(GradientCall& c) {
  const float alpha = number_attribute(c.node, "alpha", 0.01F);
  two_sided(c, c.build.add("Mul", {c.g(), c.build.fill_like(c.g(), alpha)}));
}
void elu_rule(GradientCall& c) {
  const ValueId alpha = c.build.fill_like(c.y(), number_attribute(c.node, "alpha", 1));
  two_sided(c, c.build.add("Mul", {c.g(), c.build.add("Add", {c.y(), alpha})}));
}

// Elements that were left as they are.
void clip_rule(GradientCall& c) {
  const ValueId kept = c.build.add("Equal", {c.x(), c.y()});
  c.give(0, c.build.add("Where", {kept, c.g(), c.build.fill_like(c.g(), 0)}));
}

void where_rule(GradientCall& c) {
  const ValueId zero = c.build.fill_like(c.g(), 0);
  if (c.wants(1)) c.give(1, c.build.sum_to(c.build.add("Where", {c.x(0), c.g(), zero}), c.x(1)));
  if (c.wants(2)) c.give(2, c.build.sum_to(c.build.add("Where", {c.x(0), zero, c.g()}), c.x(2)));
}

void identity_rule(GradientCall& c) { c.give(0, c.g()); }
void cast_rule(GradientCall& c) { c.give(0, c.build.add("CastLike", {c.g(), c.x()})); }
void reshape_rule(GradientCall& c) { c.give(0, c.build.reshape_like(c.g(), c.x())); }
void expand_rule(GradientCall& c) { c.give(0, c.build.sum_to(c.g(), c.x())); }

void dropout_rule(GradientCall& c) {
  if (c.node.inputs.size() > 2 && c.node.inputs[2] != kNoValue) {
    refuse("the gradient of Dropout with training_mode is not supported");
  }
  c.give(0, c.g());
}

void transpose_rule(GradientCall& c) {
  std::vector<Attribute> attributes;
  for (const Attribute& attribute : c.node.attributes) {
    const auto* perm = std::get_if<std::vector<int64_t>>(&attribute.value);
    if (!perm) continue;
    std::vector<int64_t> inverse(perm->size());
    for (size_t i = 0; i < perm->size(); ++i) {
      const auto axis = static_cast<size_t>((*perm)[i]);
      if (axis >= inverse.size()) throw Error(ErrorCode::invalid_model, "attribute 'perm' is no permutation");
      inverse[axis] = static_cast<int64_t>(i);
    }
    attributes.push_back({"perm", inverse});
  }
  c.give(0, c.build.add("Transpose", {c.g()}, attributes));
}

// What only moves elements of its first input: the same is done to their positions, and each element of the gradient is
// added where it came from.
void movement_rule(GradientCall& c) {
  auto& b = c.build;
  std::vector<ValueId> inputs = c.node.inputs;
  inputs[0] = b.positions(c.x());
  const std::vector<ValueId> positions = b.copy(c.node, inputs);
  for (size_t j = 0; j < c.gradients.size(); ++j) {
    if (c.gradients[j] != kNoValue) c.give(0, b.scatter(c.gradients[j], positions[j], c.x()));
  }
}

void concat_rule(GradientCall& c) {
  auto& b = c.build;
  const int64_t axis = integer_attribute(c.node, "axis", 1);
  std::vector<ValueId> extents;
  for (const ValueId x : c.node.inputs) extents.push_back(b.add("Gather", {b.add("Shape", {x}), b.vector({axis})}));
  const ValueId split = b.add("Concat", extents, {{"axis", int64_t{0}}});
  const auto parts = b.add_many("Split", {c.g(), split}, c.node.inputs.size(), {{"axis", axis}});
  for (size_t i = 0; i < parts.size(); ++i) c.give(i, parts[i]);
}

void matmul_rule(GradientCall& c) {
  auto& b = c.build;
  if (c.wants(0)) {
    const ValueId product = b.add("onnxrun.MatMulGradient", {c.g(), c.x(1), c.x(0)}, {{"operand", int64_t{0}}});
    c.give(0, b.sum_to(product, c.x(0)));
  }
  if (c.wants(1)) {
    const ValueId product = b.add("onnxrun.MatMulGradient", {c.x(0), c.g(), c.x(1)}, {{"operand", int64_t{1}}});
    c.give(1, b.sum_to(product, c.x(1)));
  }
}

void gemm_rule(GradientCall& c) {
  auto& b = c.build;
  const int64_t trans_a = integer_attribute(c.node, "transA", 0);
  const int64_t trans_b = integer_attribute(c.node, "transB", 0);
  const auto product = [&](ValueId left, int64_t is_left, ValueId right, int64_t is_right) {
    return b.add("Gemm", {left, right},
                 {{"alpha", number_attribute(c.node, "alpha", 1)}, {"transA", is_left}, {"transB", is_right}});
  };
  if (c.wants(0)) {
    c.give(0, trans_a ? product(c.x(1), trans_b, c.g(), 1) : product(c.g(), 0, c.x(1), trans_b ? 0 : 1));
  }
  if (c.wants(1)) {
    c.give(1, trans_b ? product(c.g(), 1, c.x(0), trans_a) : product(c.x(0), trans_a ? 0 : 1, c.g(), 0));
  }
  if (c.wants(2)) {
    const ValueId beta = b.fill_like(c.g(), number_attribute(c.node, "beta", 1));
    c.give(2, b.sum_to(b.add("Mul", {c.g(), beta}), c.x(2)));
  }
}

// The gradient and the result of a reduction with the reduced axes kept, the former as large as the input.
struct Reduced {
  ValueId gradient;
  ValueId result;
};

Reduced spread(GradientCall& c) {
  const bool keeps = integer_attribute(c.node, "keepdims", 1) != 0;
  const ValueId kept = keeps ? c.y() : c.build.copy(c.node, c.node.inputs, {{"keepdims", int64_t{1}}})[0];
  const ValueId gradient = keeps ? c.g() : c.build.reshape_like(c.g(), kept);
  return {c.build.add("Expand", {gradient, c.build.add("Shape", {c.x()})}), kept};
}

void reduce_sum_rule(GradientCall& c) { c.give(0, spread(c).gradient); }

void reduce_mean_rule(GradientCall& c) {
  auto& b = c.build;
  const auto size = [&](ValueId value) { return b.add("Cast", {b.add("Size", {value})}, {{"to", int64_t{11}}}); };
  const ValueId share = b.add("CastLike", {b.add("Div", {size(c.y()), size(c.x())}), c.x()});
  c.give(0, b.add("Mul", {spread(c).gradient, share}));
}

void reduce_sum_square_rule(GradientCall& c) {
  const ValueId slope = c.build.add("Mul", {c.x(), c.build.fill_like(c.x(), 2)});
  c.give(0, c.build.add("Mul", {spread(c).gradient, slope}));
}

void reduce_l1_rule(GradientCall& c) {
  c.give(0, c.build.add("Mul", {spread(c).gradient, c.build.add("Sign", {c.x()})}));
}

void reduce_l2_rule(GradientCall& c) {
  const Reduced reduced = spread(c);
  c.give(0, c.build.add("Mul", {reduced.gradient, c.build.add("Div", {c.x(), reduced.result})}));
}

void reduce_log_sum_rule(GradientCall& c) {
  const Reduced reduced = spread(c);
  c.give(0, c.build.add("Div", {reduced.gradient, c.build.add("Exp", {reduced.result})}));
}

void reduce_log_sum_exp_rule(GradientCall& c) {
  const Reduced reduced = spread(c);
  const ValueId weight = c.build.add("Exp", {c.build.add("Sub", {c.x(), reduced.result})});
  c.give(0, c.build.add("Mul", {reduced.gradient, weight}));
}

// Calls rule(g, y) with tensors in which the softmax is along `axis`; versions before 13 are of matrices.
template <class F>
void along_softmax_axis(GradientCall& c, const F& rule) {
  auto& b = c.build;
  if (c.node.opset >= 13) return c.give(0, rule(c.g(), c.y(), integer_attribute(c.node, "axis", -1)));
  const std::vector<Attribute> axis = {{"axis", integer_attribute(c.node, "axis", 1)}};
  c.give(0, b.reshape_like(rule(b.add("Flatten", {c.g()}, axis), b.add("Flatten", {c.y()}, axis), 1), c.x()));
}

ValueId sum_along(GradientBuilder& b, ValueId value, int64_t axis) {
  return b.add("ReduceSum", {value, b.vector({axis})}, {{"keepdims", int64_t{1}}});
}

void softmax_rule(GradientCall& c) {
  auto& b = c.build;
  along_softmax_axis(c, [&](ValueId g, ValueId y, int64_t axis) {
    const ValueId mean = sum_along(b, b.add("Mul", {g, y}), axis);
    return b.add("Mul", {y, b.add("Sub", {g, mean})});
  });
}

void log_softmax_rule(GradientCall& c) {
  auto& b = c.build;
  along_softmax_axis(c, [&](ValueId g, ValueId y, int64_t axis) {
    return b.add("Sub", {g, b.add("Mul", {b.add("Exp", {y}), sum_along(b, g, axis)})});
  });
}

// The derivative of a derivative's nodes.
void sum_to_rule(GradientCall& c) { c.give(0, c.build.add("Expand", {c.g(), c.build.add("Shape", {c.x()})})); }

void matmul_gradient_rule(GradientCall& c) {
  if (c.wants(0) || c.wants(1)) refuse("the second derivative of MatMul is not supported");
}

const std::map<std::string_view, GradientRule>& rules() {
  static const std::map<std::string_view, GradientRule> kAll = {
      {"Abs", abs_rule},
      {"Add", add_rule},
      {"Cast", cast_rule},
      {"CastLike", cast_rule},
      {"Clip", clip_rule},
      {"Concat", concat_rule},
      {"Cos", cos_rule},
      {"DepthToSpace", movement_rule},
      {"Div", div_rule},
      {"Dropout", dropout_rule},
      {"Elu", elu_rule},
      {"Erf", erf_rule},
      {"Exp", exp_rule},
      {"Expand", expand_rule},
      {"Flatten", reshape_rule},
      {"Gather", movement_rule},
      {"GatherElements", movement_rule},
      {"GatherND", movement_rule},
      {"Gemm", gemm_rule},
      {"Identity", identity_rule},
      {"LeakyRelu", leaky_relu_rule},
      {"Log", log_rule},
      {"LogSoftmax", log_softmax_rule},
      {"MatMul", matmul_rule},
      {"Max", extremum_rule},
      {"Mean", mean_rule},
      {"Min", extremum_rule},
      {"Mul", mul_rule},
      {"Neg", neg_rule},
      {"Pow", pow_rule},
      {"Reciprocal", reciprocal_rule},
      {"ReduceL1", reduce_l1_rule},
      {"ReduceL2", reduce_l2_rule},
      {"ReduceLogSum", reduce_log_sum_rule},
      {"ReduceLogSumExp", reduce_log_sum_exp_rule},
      {"ReduceMean", reduce_mean_rule},
      {"ReduceSum", reduce_sum_rule},
      {"ReduceSumSquare", reduce_sum_square_rule},
      {"Relu", relu_rule},
      {"Reshape", reshape_rule},
      {"Sigmoid", sigmoid_rule},
      {"Sin", sin_rule},
      {"Slice", movement_rule},
      {"Softmax", softmax_rule},
      {"Softplus", softplus_rule},
      {"SpaceToDepth", movement_rule},
      {"Split", movement_rule},
      {"Sqrt", sqrt_rule},
      {"Squeeze", reshape_rule},
      {"Sub", sub_rule},
      {"Sum", add_rule},
      {"Tanh", tanh_rule},
      {"Tile", movement_rule},
      {"Transpose", transpose_rule},
      {"Unsqueeze", reshape_rule},
      {"Where", where_rule},
      {"onnxrun.MatMulGradient", matmul_gradient_rule},
      {"onnxrun.SumToShape", sum_to_rule},
  };
  return kAll;
}

// Whether only type and shape of the input count.
bool gives_only_type(const Node& node, size_t i) {
  return (i == 1 &&
          (node.op_type == "SumToShape" || node.op_type == "CastLike" || node.op_type == "AveragePoolGradient")) ||
         (i == 2 && (node.op_type == "MatMulGradient" || node.op_type == "ConvGradient"));
}

GradientRule find_rule(const std::string& name) {
  for (const auto* table : {&rules(), &layer_rules()}) {
    if (const auto found = table->find(name); found != table->end()) return found->second;
  }
  return nullptr;
}

std::string full_name(const Node& node) { return (node.domain.empty() ? "" : node.domain + ".") + node.op_type; }

}  // namespace

GradientBuilder::GradientBuilder(Graph& graph, const Node& call)
    : graph_(graph), prefix_((call.name.empty() ? call.label : call.name) + "/"), origins_(call.origins) {}

std::vector<ValueId> GradientBuilder::copy(Node node, std::vector<ValueId> inputs, std::vector<Attribute> changes) {
  const std::string name = prefix_ + node.op_type + "_" + std::to_string(count_++);
  for (Attribute& change : changes) {
    std::erase_if(node.attributes, [&](const Attribute& attribute) { return attribute.name == change.name; });
    node.attributes.push_back(std::move(change));
  }
  node.name = name;
  node.inputs = std::move(inputs);
  for (size_t j = 0; j < node.outputs.size(); ++j) {
    if (node.outputs[j] != kNoValue) node.outputs[j] = graph_.add_value(name + ":" + std::to_string(j));
  }
  node.origins = origins_;
  std::vector<ValueId> outputs = node.outputs;
  graph_.add_node(std::move(node));
  return outputs;
}

std::vector<ValueId> GradientBuilder::add_many(std::string op_type, std::vector<ValueId> inputs, size_t outputs,
                                               std::vector<Attribute> attributes) {
  constexpr std::string_view kOwn = "onnxrun.";
  Node node;
  node.opset = kOpset;
  if (op_type.starts_with(kOwn)) {
    node.domain = "onnxrun";
    node.opset = 1;
    op_type.erase(0, kOwn.size());
  }
  node.op_type = std::move(op_type);
  node.attributes = std::move(attributes);
  node.outputs.resize(outputs);
  return copy(std::move(node), std::move(inputs));
}

ValueId GradientBuilder::add(std::string op_type, std::vector<ValueId> inputs, std::vector<Attribute> attributes) {
  return add_many(std::move(op_type), std::move(inputs), 1, std::move(attributes))[0];
}

ValueId GradientBuilder::fill_like(ValueId like, float value) {
  return add("onnxrun.FillLike", {like}, {{"value", value}});
}

ValueId GradientBuilder::sum_to(ValueId gradient, ValueId like) { return add("onnxrun.SumToShape", {gradient, like}); }

ValueId GradientBuilder::positions(ValueId like) {
  return reshape_like(add("Range", {scalar(0), add("Size", {like}), scalar(1)}), like);
}

ValueId GradientBuilder::scatter(ValueId gradient, ValueId positions, ValueId like) {
  const ValueId flat = vector({-1});
  const ValueId zeros = fill_like(add("Reshape", {like, flat}), 0);
  const ValueId sum =
      add("ScatterElements", {zeros, add("Reshape", {positions, flat}), add("Reshape", {gradient, flat})},
          {{"axis", int64_t{0}}, {"reduction", std::string("add")}});
  return reshape_like(sum, like);
}

ValueId GradientBuilder::constant(const Shape& shape, const std::vector<int64_t>& values) {
  return add_constant(graph_, prefix_ + "constant_" + std::to_string(count_++),
                      Tensor::of<int64_t>(DType::int64, shape, values));
}

ValueId GradientBuilder::vector(const std::vector<int64_t>& values) {
  return constant({static_cast<int64_t>(values.size())}, values);
}

ValueId GradientBuilder::scalar(int64_t value) { return constant({}, {value}); }

void differentiate_node(GradientCall& call) {
  const std::string name = full_name(call.node);
  const GradientRule rule = find_rule(name);
  if (!rule) refuse("the gradient of " + name + " is not supported");
  call.results.resize(call.node.inputs.size());
  rule(call);
  for (size_t i = 0; i < call.wanted.size(); ++i) {
    if (call.wanted[i] && call.results[i].empty() && !gives_only_type(call.node, i)) {
      refuse("the gradient of " + name + " with respect to its input " + std::to_string(i) + " is not supported");
    }
  }
}

bool is_piecewise_constant(const Node& node) {
  static constexpr std::array<std::string_view, 26> kNames = {"And",
                                                              "ArgMax",
                                                              "ArgMin",
                                                              "Ceil",
                                                              "ConstantOfShape",
                                                              "Equal",
                                                              "EyeLike",
                                                              "Floor",
                                                              "Greater",
                                                              "IsInf",
                                                              "GreaterOrEqual",
                                                              "IsNaN",
                                                              "Less",
                                                              "LessOrEqual",
                                                              "NonZero",
                                                              "Not",
                                                              "OneHot",
                                                              "Or",
                                                              "RandomNormalLike",
                                                              "RandomUniformLike",
                                                              "Round",
                                                              "Shape",
                                                              "Sign",
                                                              "Size",
                                                              "Xor",
                                                              "Bernoulli"};
  if (node.domain == "onnxrun") return node.op_type == "FillLike";
  if (!node.domain.empty()) return false;
  if (std::find(kNames.begin(), kNames.end(), node.op_type) != kNames.end()) return true;
  if (node.op_type != "Cast") return false;
  // Only the types 1, 10, 11 and 16 are floats that change with the input.
  const int64_t to = integer_attribute(node, "to", 1);
  return to != 1 && to != 10 && to != 11 && to != 16;
}

}  // namespace onnxrun
