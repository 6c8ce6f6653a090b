// Recognises attention, softmax(scale Q K^T + mask) V, where exporters write it as two products with a Softmax between
// them. The scale may be on the scores, on Q, on K, or on both; the mask is added, or chosen by a Where; Transposes of
// Q, K, V and of the result become the order in which the kernel reads and writes.
#include <algorithm>
#include <numeric>
#include <optional>

#include "graph/passes/node_group.h"
#include "graph/passes/pass.h"
#include "graph/passes/pattern.h"

namespace onnxrun {
namespace {

using Axes = std::vector<int64_t>;

// An operand of a product as a value with its axes in another order, and what it is multiplied by.
struct Operand {
  ValueId value = kNoValue;
  Axes axes;
  double factor = 1;
};

struct Attention {
  Operand q, k, v;
  ValueId mask = kNoValue;
  float forbidden = 0;
  bool mask_forbids = false;  // a Where takes `forbidden` where the mask is true
  double scale = 1;
  Axes y_axes;
};

Axes perm_of(const Node& transpose, size_t rank) {
  const Axes* perm = integers_attribute(transpose, "perm");
  if (perm && perm->size() == rank) return *perm;
  Axes reversed(rank);
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  return reversed;
}

// The number that a Mul or Div multiplies its other operand by.
ValueId scaled_operand(const Graph& graph, const Node& node, double& factor) {
  float number = 0;
  if (is_operator(node, "Mul")) {
    const ValueId operand = operand_beside_scalar(graph, node, number);
    if (operand != kNoValue) factor *= static_cast<double>(number);
    return operand;
  }
  if (!is_operator(node, "Div") || !has_right_scalar(graph, node, number)) return kNoValue;
  factor /= static_cast<double>(number);
  return node.inputs[0];
}

// Looks through Transposes and scalings, which others may read as well.
Operand look_through(const Graph& graph, ValueId value, size_t rank) {
  Operand operand;
  operand.value = value;
  operand.axes.resize(rank);
  std::iota(operand.axes.begin(), operand.axes.end(), 0);
  while (graph.value(operand.value).producer != kNoNode) {
    const Node& node = graph.node(graph.value(operand.value).producer);
    if (is_operator(node, "Transpose")) {
      const Axes perm = perm_of(node, rank);
      for (int64_t& axis : operand.axes) axis = perm[static_cast<size_t>(axis)];
      operand.value = node.inputs[0];
      continue;
    }
    const ValueId scaled = scaled_operand(graph, node, operand.factor);
    if (scaled == kNoValue) break;
    operand.value = scaled;
  }
  return operand;
}

// Whether the mask broadcasts to the scores without adding to their shape, which every way of writing allows. What is
// cut from a longer one is as long as the scores wherever the model is valid.
bool fits(const Graph& graph, ValueId mask, const DimShape& scores) {
  const DimShape& shape = graph.value(mask).type.shape;
  if (!shape.has_rank() || shape.rank() > scores.rank()) return false;
  for (size_t axis = 0; axis < shape.rank(); ++axis) {
    const Dim& extent = shape[axis];
    const Dim& score = scores[scores.rank() - shape.rank() + axis];
    if (!extent.is(1) && !(extent == score) && !extent.is_cut_from(score)) return false;
  }
  return true;
}

// Takes the mask, if there is one, between Softmax and the scores; returns the scores.
ValueId take_mask(NodeGroup& group, ValueId value, Attention& found) {
  const Graph& graph = group.graph();
  const DimShape& scores = graph.value(value).type.shape;
  const size_t size = group.size();
  if (const Node* where = group.take(value, "Where")) {
    for (const size_t chosen : {1U, 2U}) {
      const ValueId number = where->inputs[3 - chosen];
      if (!read_scalar(graph, number, found.forbidden) || !fits(graph, number, scores)) continue;
      if (!fits(graph, where->inputs[0], scores)) continue;
      found.mask = where->inputs[0];
      found.mask_forbids = chosen == 2;
      return where->inputs[chosen];
    }
  }
  group.resize(size);
  if (const Node* add = group.take(value, "Add")) {
    for (size_t i = 0; i < 2; ++i) {
      const ValueId other = add->inputs[1 - i];
      const NodeId producer = graph.value(add->inputs[i]).producer;
      if (producer == kNoNode || !fits(graph, other, scores)) continue;
      const std::string& op_type = graph.node(producer).op_type;
      if (op_type != "MatMul" && op_type != "Div" && op_type != "Mul") continue;
      if (!group.is_private(add->inputs[i])) continue;
      found.mask = other;
      return add->inputs[i];
    }
  }
  group.resize(size);
  return value;
}

bool is_last_axis(const Graph& graph, const Node& softmax) {
  const DimShape& shape = graph.value(softmax.inputs[0]).type.shape;
  if (!shape.has_rank()) return false;
  const auto rank = static_cast<int64_t>(shape.rank());
  const int64_t axis = integer_attribute(softmax, "axis", softmax.entry->since >= 13 ? -1 : 1);
  return axis == -1 || axis == rank - 1;
}

// Finds the product of Q and K behind the masks; it may be scaled.
const Node* take_scores(NodeGroup& group, ValueId value, Attention& found) {
  if (const Node* product = group.take(value, "MatMul")) return product;
  for (const std::string_view op_type : {"Mul", "Div"}) {
    const Node* scaling = group.take(value, op_type);
    const ValueId scaled = scaling ? scaled_operand(group.graph(), *scaling, found.scale) : kNoValue;
    if (scaled != kNoValue) return group.take(scaled, "MatMul");
  }
  return nullptr;
}

// Whether the size of a head is the last axis, and Q, K and V agree on the axes before the last two.
bool are_heads(const Graph& graph, const Attention& found) {
  const size_t rank = found.q.axes.size();
  const auto extent = [&](const Operand& operand, size_t axis) {
    return graph.value(operand.value).type.shape[static_cast<size_t>(operand.axes[axis])];
  };
  for (const Operand* operand : {&found.q, &found.k, &found.v}) {
    const DimShape& shape = graph.value(operand->value).type.shape;
    if (!shape.has_rank() || shape.rank() != rank || operand->axes.back() != static_cast<int64_t>(rank) - 1)
      return false;
    for (size_t axis = 0; axis + 2 < rank; ++axis) {
      if (!(extent(*operand, axis) == extent(found.q, axis))) return false;
    }
  }
  return extent(found.k, rank - 2) == extent(found.v, rank - 2);
}

// What Where(IsNaN(p), 0, p) guards: rows that may attend to nothing are zeros, as they are in the kernel.
ValueId without_guard(NodeGroup& group, ValueId value) {
  const size_t size = group.size();
  const Node* where = group.take(value, "Where");
  const Node* is_nan = where ? group.take(where->inputs[0], "IsNaN") : nullptr;
  float zero = 1;
  if (is_nan && is_nan->inputs[0] == where->inputs[2] && read_scalar(group.graph(), where->inputs[1], zero) &&
      zero == 0)
    return where->inputs[2];
  group.resize(size);
  return value;
}

// Matches at the second product.
bool match(NodeGroup& group, const Node& product, Attention& found) {
  const Graph& graph = group.graph();
  const Type& type = graph.value(product.outputs[0]).type;
  if (type.dtype != DType::float32 || !type.shape.has_rank()) return false;
  const size_t rank = type.shape.rank();
  if (rank != 3 && rank != 4) return false;
  const Node* softmax = group.take(without_guard(group, product.inputs[0]), "Softmax");
  if (!softmax || !is_last_axis(graph, *softmax)) return false;
  const Node* scores = take_scores(group, take_mask(group, softmax->inputs[0], found), found);
  if (!scores || graph.value(scores->outputs[0]).type.shape.rank() != rank) return false;
  found.q = look_through(graph, scores->inputs[0], rank);
  found.k = look_through(graph, scores->inputs[1], rank);
  found.v = look_through(graph, product.inputs[1], rank);
  // The product reads K as [..., size, keys].
  std::swap(found.k.axes[rank - 2], found.k.axes[rank - 1]);
  found.scale *= found.q.factor * found.k.factor;
  return found.v.factor == 1 && are_heads(graph, found) && group.is_closed();
}

Node make_node(const Attention& found) {
  Node node;
  node.domain = "onnxrun";
  node.op_type = "HeadAttention";
  node.opset = 1;
  node.inputs = {found.q.value, found.k.value, found.v.value};
  if (found.mask != kNoValue) node.inputs.push_back(found.mask);
  node.attributes = {{"q_axes", found.q.axes},
                     {"k_axes", found.k.axes},
                     {"v_axes", found.v.axes},
                     {"y_axes", found.y_axes},
                     {"scale", static_cast<float>(found.scale)},
                     {"forbidden", found.forbidden},
                     {"mask_forbids", int64_t{found.mask_forbids}}};
  return node;
}

}  // namespace

int fuse_attention(Graph& graph, const PassContext& /*context*/) {
  const auto consumers = graph.consumers();
  int fused = 0;
  const std::vector<NodeId> order = graph.order();
  for (const NodeId id : order) {
    const Node& product = graph.node(id);
    if (product.removed || !is_operator(product, "MatMul")) continue;
    NodeGroup group(graph, consumers, id);
    Attention found;
    if (!match(group, product, found)) continue;
    const size_t rank = found.q.axes.size();
    found.y_axes.resize(rank);
    std::iota(found.y_axes.begin(), found.y_axes.end(), 0);
    const NodeId next = only_consumer(graph, consumers, product.outputs);
    if (next != kNoNode && is_operator(graph.node(next), "Transpose")) {
      const Axes perm = perm_of(graph.node(next), rank);
      if (perm.back() == static_cast<int64_t>(rank) - 1) {
        found.y_axes = perm;
        group.append(next);
      }
    }
    group.replace(graph, make_node(found));
    ++fused;
  }
  return fused;
}

}  // namespace onnxrun
