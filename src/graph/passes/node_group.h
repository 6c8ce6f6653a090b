#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace onnxrun {

// Nodes that one node is to replace, found by walking back from the last of them.
class NodeGroup {
 public:
  NodeGroup(const Graph& graph, const std::vector<std::vector<NodeId>>& consumers, NodeId last)
      : graph_(graph), consumers_(consumers), nodes_{last} {}

  const Graph& graph() const noexcept { return graph_; }
  const Node& last() const { return graph_.node(nodes_.front()); }
  size_t size() const noexcept { return nodes_.size(); }
  // Gives back the nodes that were taken since there were `size`.
  void resize(size_t size) { nodes_.resize(size); }

  // The node that makes the value, now one of the group; null, and nothing taken, where it is no such operator of
  // ai.onnx or has several outputs.
  const Node* take(ValueId value, std::string_view op_type);
  // Takes a node that reads the last one's output and becomes the last.
  void append(NodeId id) { nodes_.insert(nodes_.begin(), id); }
  // Whether one node reads the value and no graph output is it.
  bool is_private(ValueId value) const;
  // Whether nobody else reads what the nodes but the last make.
  bool is_closed() const;
  bool contains(NodeId id) const;

  // One node of ai.onnx in place of all, with the outputs of the last.
  void replace(Graph& graph, Node node) const;

 private:
  const Graph& graph_;
  const std::vector<std::vector<NodeId>>& consumers_;
  std::vector<NodeId> nodes_;
};

// The operand of a node with two inputs that is not the constant scalar `number`, which must be float32 and may not
// add an axis to it; kNoValue where there is none.
ValueId operand_beside_scalar(const Graph& graph, const Node& node, float& number);

// Whether the second operand is such a scalar beside the first.
bool has_right_scalar(const Graph& graph, const Node& node, float& number);

// Whether the numbers are equal but for how many digits an exporter wrote.
bool is_about(double value, double expected);

}  // namespace onnxrun
