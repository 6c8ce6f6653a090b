#include "graph/passes/node_group.h"

#include <algorithm>
#include <cmath>

#include "graph/passes/pattern.h"

namespace onnxrun {

const Node* NodeGroup::take(ValueId value, std::string_view op_type) {
  const NodeId id = value == kNoValue ? kNoNode : graph_.value(value).producer;
  if (id == kNoNode) return nullptr;
  const Node& node = graph_.node(id);
  if (node.removed || !is_operator(node, op_type) || node.outputs.size() != 1) return nullptr;
  if (!contains(id)) nodes_.push_back(id);
  return &node;
}

bool NodeGroup::contains(NodeId id) const { return std::find(nodes_.begin(), nodes_.end(), id) != nodes_.end(); }

bool NodeGroup::is_private(ValueId value) const {
  const auto index = static_cast<size_t>(value);
  return index < consumers_.size() && consumers_[index].size() == 1 && !graph_.is_output(value);
}

bool NodeGroup::is_closed() const {
  return std::all_of(nodes_.begin() + 1, nodes_.end(), [&](NodeId id) {
    const ValueId value = graph_.node(id).outputs[0];
    const auto index = static_cast<size_t>(value);
    if (index >= consumers_.size() || graph_.is_output(value)) return false;
    return std::all_of(consumers_[index].begin(), consumers_[index].end(),
                       [&](NodeId consumer) { return contains(consumer); });
  });
}

void NodeGroup::replace(Graph& graph, Node node) const {
  node.name = last().name;
  node.outputs = last().outputs;
  for (const NodeId id : nodes_) {
    const auto& origins = graph.node(id).origins;
    node.origins.insert(node.origins.end(), origins.begin(), origins.end());
    graph.remove_node(id);
  }
  graph.add_node(std::move(node));
}

ValueId operand_beside_scalar(const Graph& graph, const Node& node, float& number) {
  for (size_t i = 0; i < 2; ++i) {
    const ValueId other = node.inputs[1 - i];
    if (!read_scalar(graph, node.inputs[i], number)) continue;
    const size_t rank = constant_of(graph, node.inputs[i])->shape().rank();
    const DimShape& shape = graph.value(other).type.shape;
    if (rank == 0 || (shape.has_rank() && rank <= shape.rank())) return other;
  }
  return kNoValue;
}

bool has_right_scalar(const Graph& graph, const Node& node, float& number) {
  return read_scalar(graph, node.inputs[1], number) && operand_beside_scalar(graph, node, number) == node.inputs[0];
}

bool is_about(double value, double expected) { return std::abs(value - expected) <= 1e-5 * std::abs(expected); }

}  // namespace onnxrun
