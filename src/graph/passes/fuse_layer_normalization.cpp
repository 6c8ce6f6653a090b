// Recognises LayerNormalization and RMSNormalization where exporters write them as means, squares and a root:
// (x - mean(x)) / sqrt(mean((x - mean(x))^2) + epsilon), and the same without the means of x. A scale and a bias that
// are constants join, also multiplied out: x s + (bias - mean(x) s) with s = scale / sqrt(...).
#include <optional>

#include "graph/passes/node_group.h"
#include "graph/passes/pass.h"
#include "graph/passes/pattern.h"

namespace onnxrun {
namespace {

struct Normalization {
  ValueId x = kNoValue;
  int64_t axis = 0;  // the first of the normalized axes, counted from the last: -1 is the last alone
  float epsilon = 0;
  bool is_centered = true;
};

// A mean over the last axes, and what it is taken of.
ValueId mean_of(NodeGroup& group, ValueId value, int64_t& axis) {
  const Node* mean = group.take(value, "ReduceMean");
  if (!mean) return kNoValue;
  const auto axes = trailing_axes(group.graph(), *mean);
  if (!axes || integer_attribute(*mean, "keepdims", 1) != 1) return kNoValue;
  axis = *axes;
  return mean->inputs[0];
}

// x where the value is x - mean(x).
ValueId centered(NodeGroup& group, ValueId value, int64_t& axis) {
  const Node* sub = group.take(value, "Sub");
  return sub && mean_of(group, sub->inputs[1], axis) == sub->inputs[0] ? sub->inputs[0] : kNoValue;
}

// What the value is the square of.
ValueId square_root_of(NodeGroup& group, ValueId value) {
  if (const Node* mul = group.take(value, "Mul")) return mul->inputs[0] == mul->inputs[1] ? mul->inputs[0] : kNoValue;
  const Node* pow = group.take(value, "Pow");
  float exponent = 0;
  return pow && read_scalar(group.graph(), pow->inputs[1], exponent) && exponent == 2 ? pow->inputs[0] : kNoValue;
}

// The variance under a root: sqrt(variance + epsilon).
ValueId deviation(NodeGroup& group, ValueId value, float& epsilon) {
  const Node* root = group.take(value, "Sqrt");
  const Node* sum = root ? group.take(root->inputs[0], "Add") : nullptr;
  return sum ? operand_beside_scalar(group.graph(), *sum, epsilon) : kNoValue;
}

// 1 / sqrt(variance + epsilon), as a Reciprocal, a quotient, or a power.
ValueId inverse_deviation(NodeGroup& group, ValueId value, float& epsilon) {
  if (const Node* reciprocal = group.take(value, "Reciprocal")) return deviation(group, reciprocal->inputs[0], epsilon);
  float number = 0;
  if (const Node* div = group.take(value, "Div")) {
    return read_scalar(group.graph(), div->inputs[0], number) && number == 1 ? deviation(group, div->inputs[1], epsilon)
                                                                             : kNoValue;
  }
  const Node* pow = group.take(value, "Pow");
  if (!pow || !read_scalar(group.graph(), pow->inputs[1], number) || number != -0.5F) return kNoValue;
  const Node* sum = group.take(pow->inputs[0], "Add");
  return sum ? operand_beside_scalar(group.graph(), *sum, epsilon) : kNoValue;
}

// The value whose mean square is the variance: x - mean(x), or x itself.
ValueId deviations(NodeGroup& group, ValueId variance, Normalization& found) {
  const ValueId squares = variance == kNoValue ? kNoValue : mean_of(group, variance, found.axis);
  const ValueId base = squares == kNoValue ? kNoValue : square_root_of(group, squares);
  if (base == kNoValue) return kNoValue;
  int64_t axis = 0;
  const size_t size = group.size();
  found.x = centered(group, base, axis);
  found.is_centered = found.x != kNoValue;
  if (found.is_centered) return axis == found.axis ? base : kNoValue;
  group.resize(size);
  found.x = base;
  return base;
}

// numerator / sqrt(variance + epsilon), given the variance.
bool is_normalized(NodeGroup& group, ValueId numerator, ValueId variance, Normalization& found) {
  const ValueId base = deviations(group, variance, found);
  if (base == kNoValue) return false;
  int64_t axis = 0;
  return numerator == base || (found.is_centered && centered(group, numerator, axis) == found.x && axis == found.axis);
}

// What `last`, a Div or Mul, normalizes.
bool match(NodeGroup& group, const Node& last, Normalization& found) {
  if (is_operator(last, "Div")) {
    return is_normalized(group, last.inputs[0], deviation(group, last.inputs[1], found.epsilon), found);
  }
  for (size_t i = 0; i < 2; ++i) {
    const size_t size = group.size();
    const ValueId variance = inverse_deviation(group, last.inputs[i], found.epsilon);
    if (is_normalized(group, last.inputs[1 - i], variance, found)) return true;
    group.resize(size);
  }
  return false;
}

// The node behind `outputs` that combines them with a constant of no more axes; the constant's value.
NodeId constant_follower(const Graph& graph, const std::vector<std::vector<NodeId>>& consumers,
                         const std::vector<ValueId>& outputs, std::string_view op_type, ValueId& constant) {
  const NodeId id = only_consumer(graph, consumers, outputs);
  if (id == kNoNode || !is_operator(graph.node(id), op_type)) return kNoNode;
  const Node& node = graph.node(id);
  constant = node.inputs[node.inputs[0] == outputs[0] ? 1 : 0];
  const bool keeps_shape = graph.value(node.outputs[0]).type.shape == graph.value(outputs[0]).type.shape;
  return constant_of(graph, constant) && keeps_shape ? id : kNoNode;
}

// Ones of the extents of the normalized axes; kNoValue where an extent is not known.
ValueId add_ones(Graph& graph, const Normalization& found) {
  const DimShape& shape = graph.value(found.x).type.shape;
  const auto first = static_cast<ptrdiff_t>(shape.rank()) + found.axis;
  const DimShape row(std::vector<Dim>(shape.begin() + first, shape.end()));
  if (!row.is_concrete()) return kNoValue;
  Tensor ones(DType::float32, row.concrete());
  std::fill_n(ones.mutable_values<float>().data(), ones.elements(), 1.0F);
  return add_constant(graph, graph.value(found.x).name + " (ones)", std::move(ones));
}

Node make_node(const Normalization& found, ValueId scale, ValueId bias) {
  Node node;
  node.op_type = found.is_centered ? "LayerNormalization" : "RMSNormalization";
  node.opset = found.is_centered ? 17 : 23;
  node.attributes = {{"axis", found.axis}, {"epsilon", found.epsilon}};
  node.inputs = {found.x, scale};
  if (bias != kNoValue) node.inputs.push_back(bias);
  return node;
}

// scale / sqrt(variance of x + epsilon), whose scale is a constant; the scale.
ValueId scaled_inverse(NodeGroup& group, ValueId value, Normalization& found) {
  const Node* mul = group.take(value, "Mul");
  if (!mul) return kNoValue;
  const size_t scale = constant_of(group.graph(), mul->inputs[0]) ? 0 : 1;
  if (!constant_of(group.graph(), mul->inputs[scale])) return kNoValue;
  const ValueId variance = inverse_deviation(group, mul->inputs[1 - scale], found.epsilon);
  return deviations(group, variance, found) != kNoValue && found.is_centered ? mul->inputs[scale] : kNoValue;
}

// x s + (bias - mean(x) s), given the product and the difference.
bool fuse_sum(Graph& graph, NodeGroup& group, ValueId product, ValueId difference) {
  const Node* scaled = group.take(product, "Mul");
  const Node* sub = group.take(difference, "Sub");
  const Node* shift = scaled && sub ? group.take(sub->inputs[1], "Mul") : nullptr;
  if (!shift || !constant_of(graph, sub->inputs[0])) return false;
  for (size_t i = 0; i < 4; ++i) {
    const ValueId factor = scaled->inputs[i / 2];
    if (factor != shift->inputs[i % 2]) continue;
    Normalization found;
    int64_t axis = 0;
    const ValueId scale = scaled_inverse(group, factor, found);
    const bool matches = scale != kNoValue && found.x == scaled->inputs[1 - i / 2] &&
                         mean_of(group, shift->inputs[1 - i % 2], axis) == found.x && axis == found.axis;
    if (!matches || !group.is_closed()) return false;
    if (!(graph.value(group.last().outputs[0]).type.shape == graph.value(found.x).type.shape)) return false;
    group.replace(graph, make_node(found, scale, sub->inputs[0]));
    return true;
  }
  return false;
}

bool fuse_multiplied_out(Graph& graph, const std::vector<std::vector<NodeId>>& consumers, NodeId id) {
  const std::vector<ValueId> terms = graph.node(id).inputs;
  for (size_t i = 0; i < 2; ++i) {
    NodeGroup group(graph, consumers, id);
    if (fuse_sum(graph, group, terms[i], terms[1 - i])) return true;
  }
  return false;
}

bool fuse(Graph& graph, const std::vector<std::vector<NodeId>>& consumers, NodeId id) {
  const Node& core = graph.node(id);
  // The first of several outputs may be left out.
  if (core.outputs.empty() || core.outputs[0] == kNoValue) return false;
  if (graph.value(core.outputs[0]).type.dtype != DType::float32) return false;
  if (is_operator(core, "Add")) return fuse_multiplied_out(graph, consumers, id);
  if (!is_operator(core, "Div") && !is_operator(core, "Mul")) return false;
  NodeGroup group(graph, consumers, id);
  Normalization found;
  if (!match(group, core, found) || !group.is_closed()) return false;
  ValueId scale = kNoValue;
  ValueId bias = kNoValue;
  const NodeId scaling = constant_follower(graph, consumers, core.outputs, "Mul", scale);
  const NodeId last = scaling == kNoNode ? id : scaling;
  NodeId shifting = kNoNode;
  if (found.is_centered) shifting = constant_follower(graph, consumers, graph.node(last).outputs, "Add", bias);
  if (scaling == kNoNode) scale = add_ones(graph, found);
  if (scale == kNoValue) return false;
  for (const NodeId follower : {scaling, shifting}) {
    if (follower != kNoNode) group.append(follower);
  }
  group.replace(graph, make_node(found, scale, shifting == kNoNode ? kNoValue : bias));
  return true;
}

}  // namespace

int fuse_layer_normalization(Graph& graph, const PassContext& /*context*/) {
  const auto consumers = graph.consumers();
  int fused = 0;
  const std::vector<NodeId> order = graph.order();
  for (const NodeId id : order) {
    if (!graph.node(id).removed && fuse(graph, consumers, id)) ++fused;
  }
  return fused;
}

}  // namespace onnxrun
