#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graph/attribute.h"
#include "graph/constant.h"
#include "graph/type.h"
#include "onnxrun/model_info.h"

namespace onnxrun {

class Operator;
struct OperatorEntry;

using ValueId = int32_t;
using NodeId = int32_t;
inline constexpr ValueId kNoValue = -1;  // an omitted optional input or output
inline constexpr NodeId kNoNode = -1;

// An edge of the graph.
struct GraphValue {
  std::string name;
  Type declared;    // by the model; kind none where it says nothing
  Type type;        // inferred
  Content content;  // elements as far as they are known; only where has_content
  bool has_content = false;
  ConstantPtr constant;  // null where the value is made at run time
  NodeId producer = kNoNode;
};

struct Node {
  std::string name;
  std::string domain;  // "" is ai.onnx
  std::string op_type;
  std::string overload;
  int64_t opset = 0;  // imported version of the domain
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  std::vector<Attribute> attributes;
  // Values of this graph that the node's subgraphs read, behind its inputs: see Graph::captures.
  std::vector<ValueId> implicit_inputs;
  // Where the node stands in the model's file; fused nodes list the nodes that they came from.
  std::vector<std::string> origins;

  std::shared_ptr<const Operator> op;    // null until bound
  const OperatorEntry* entry = nullptr;  // of the registry
  bool removed = false;

  // "Conv 'conv1'", "onnxrun.Conv 'conv1'", "Relu with output 'y'".
  std::string label;
};

// A subgraph's value that stands for a value of the graph around it.
struct Capture {
  std::string name;
  ValueId outer = kNoValue;  // in the graph around
  ValueId inner = kNoValue;  // in this graph; has no producer
};

// A graph owns its nodes and values; both are referred to by index, never by pointer. Removed nodes keep their index.
class Graph {
 public:
  std::string name;
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  std::vector<Capture> captures;  // of a subgraph

  ValueId add_value(std::string value_name);
  NodeId add_node(Node node);

  size_t value_count() const noexcept { return values_.size(); }
  GraphValue& value(ValueId id) { return values_[static_cast<size_t>(id)]; }
  const GraphValue& value(ValueId id) const { return values_[static_cast<size_t>(id)]; }

  // Node storage, removed ones included.
  size_t node_count() const noexcept { return nodes_.size(); }
  Node& node(NodeId id) { return nodes_[static_cast<size_t>(id)]; }
  const Node& node(NodeId id) const { return nodes_[static_cast<size_t>(id)]; }

  // Nodes in an order in which each stands behind what it reads. Kept by the graph; new nodes are at its end until
  // sort() is called.
  const std::vector<NodeId>& order() const noexcept { return order_; }

  // Sorts, stably, and drops removed nodes from the order. \throws Error(invalid_model) naming the nodes of a cycle.
  void sort();

  // Nodes that read each value, implicit inputs included; a node that reads a value twice is there once.
  std::vector<std::vector<NodeId>> consumers() const;
  bool is_output(ValueId id) const;

  // Lets everything that reads `from` read `to`, graph outputs included.
  void replace_uses(ValueId from, ValueId to);
  void remove_node(NodeId id);

  // Every graph attribute of the node.
  static std::vector<std::shared_ptr<Graph>> subgraphs(const Node& node);

  // \throws std::logic_error naming the place where the graph contradicts itself: our own bug.
  void verify() const;

 private:
  std::vector<GraphValue> values_;
  std::vector<Node> nodes_;
  std::vector<NodeId> order_;
};

// Sets node.label.
void set_label(const Graph& graph, Node& node);

// A model-local function.
struct Function {
  std::string domain;
  std::string name;
  std::string overload;
  std::vector<Attribute> default_attributes;
  std::vector<std::string> attributes;  // without default
  std::vector<OpsetImport> opsets;
  std::shared_ptr<Graph> body;  // formal inputs and outputs are the graph's; nodes not bound
};

// A model as loaded.
class GraphModel {
 public:
  int64_t ir_version = 0;
  std::vector<OpsetImport> opsets;
  std::string producer;
  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<std::string> warnings;
  std::vector<Function> functions;
  Graph graph;
  std::shared_ptr<const void> bytes;  // keeps what constants borrow

  // The public face of the graph's inputs and outputs.
  std::vector<ValueInfo> inputs;
  std::vector<ValueInfo> outputs;
};

// A deep copy: subgraphs too; constants are shared.
std::shared_ptr<Graph> clone(const Graph& graph);

}  // namespace onnxrun
