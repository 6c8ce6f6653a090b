#include "graph/graph.h"

#include <algorithm>
#include <queue>
#include <set>
#include <stdexcept>

#include "onnxrun/error.h"

namespace onnxrun {
namespace {

template <class Visit>
void for_each_input(const Node& node, const Visit& visit) {
  for (const ValueId id : node.inputs) {
    if (id != kNoValue) visit(id);
  }
  for (const ValueId id : node.implicit_inputs) visit(id);
}

void check(bool condition, const std::string& message) {
  if (!condition) throw std::logic_error("graph: " + message);
}

}  // namespace

ValueId Graph::add_value(std::string value_name) {
  GraphValue value;
  value.name = std::move(value_name);
  values_.push_back(std::move(value));
  return static_cast<ValueId>(values_.size() - 1);
}

NodeId Graph::add_node(Node node) {
  const auto id = static_cast<NodeId>(nodes_.size());
  for (const ValueId output : node.outputs) {
    if (output != kNoValue) value(output).producer = id;
  }
  set_label(*this, node);
  nodes_.push_back(std::move(node));
  order_.push_back(id);
  return id;
}

void Graph::sort() {
  std::erase_if(order_, [&](NodeId id) { return node(id).removed; });
  std::vector<int> waits(nodes_.size(), 0);
  std::vector<std::vector<NodeId>> readers(nodes_.size());
  for (const NodeId id : order_) {
    std::set<NodeId> producers;
    for_each_input(node(id), [&](ValueId input) {
      const NodeId producer = value(input).producer;
      if (producer != kNoNode && producers.insert(producer).second) {
        ++waits[static_cast<size_t>(id)];
        readers[static_cast<size_t>(producer)].push_back(id);
      }
    });
  }
  std::vector<size_t> position(nodes_.size());
  for (size_t i = 0; i < order_.size(); ++i) position[static_cast<size_t>(order_[i])] = i;
  const auto later = [&](NodeId a, NodeId b) {
    return position[static_cast<size_t>(a)] > position[static_cast<size_t>(b)];
  };
  std::priority_queue<NodeId, std::vector<NodeId>, decltype(later)> ready(later);
  for (const NodeId id : order_) {
    if (waits[static_cast<size_t>(id)] == 0) ready.push(id);
  }
  std::vector<NodeId> sorted;
  while (!ready.empty()) {
    const NodeId id = ready.top();
    ready.pop();
    sorted.push_back(id);
    for (const NodeId reader : readers[static_cast<size_t>(id)]) {
      if (--waits[static_cast<size_t>(reader)] == 0) ready.push(reader);
    }
  }
  if (sorted.size() != order_.size()) {
    std::string names;
    for (const NodeId id : order_) {
      if (waits[static_cast<size_t>(id)] > 0 && names.size() < 200)
        names += (names.empty() ? "" : ", ") + node(id).label;
    }
    throw Error(ErrorCode::invalid_model, "nodes form a cycle: " + names);
  }
  order_ = std::move(sorted);
}

std::vector<std::vector<NodeId>> Graph::consumers() const {
  std::vector<std::vector<NodeId>> readers(values_.size());
  for (const NodeId id : order_) {
    if (node(id).removed) continue;
    for_each_input(node(id), [&](ValueId input) {
      auto& list = readers[static_cast<size_t>(input)];
      if (list.empty() || list.back() != id) list.push_back(id);
    });
  }
  return readers;
}

bool Graph::is_output(ValueId id) const { return std::find(outputs.begin(), outputs.end(), id) != outputs.end(); }

void Graph::replace_uses(ValueId from, ValueId to) {
  for (Node& node : nodes_) {
    if (node.removed) continue;
    std::replace(node.inputs.begin(), node.inputs.end(), from, to);
    std::replace(node.implicit_inputs.begin(), node.implicit_inputs.end(), from, to);
    for (const auto& subgraph : subgraphs(node)) {
      for (Capture& capture : subgraph->captures) {
        if (capture.outer == from) capture.outer = to;
      }
    }
  }
  std::replace(outputs.begin(), outputs.end(), from, to);
}

void Graph::remove_node(NodeId id) {
  node(id).removed = true;
  for (const ValueId output : node(id).outputs) {
    if (output != kNoValue && value(output).producer == id) value(output).producer = kNoNode;
  }
}

std::vector<std::shared_ptr<Graph>> Graph::subgraphs(const Node& node) {
  std::vector<std::shared_ptr<Graph>> graphs;
  for (const Attribute& attribute : node.attributes) {
    if (const auto* graph = std::get_if<std::shared_ptr<Graph>>(&attribute.value)) graphs.push_back(*graph);
    if (const auto* list = std::get_if<std::vector<std::shared_ptr<Graph>>>(&attribute.value)) {
      graphs.insert(graphs.end(), list->begin(), list->end());
    }
  }
  return graphs;
}

void Graph::verify() const {
  std::vector<bool> made(values_.size(), false);
  for (const ValueId id : inputs) made[static_cast<size_t>(id)] = true;
  for (const Capture& capture : captures) made[static_cast<size_t>(capture.inner)] = true;
  for (size_t id = 0; id < values_.size(); ++id) {
    if (values_[id].constant) made[id] = true;
  }
  for (const NodeId id : order_) {
    const Node& current = node(id);
    if (current.removed) continue;
    for_each_input(current, [&](ValueId input) {
      check(made[static_cast<size_t>(input)], current.label + " reads '" + value(input).name + "' before it is made");
    });
    for (const ValueId output : current.outputs) {
      if (output == kNoValue) continue;
      check(value(output).producer == id, "'" + value(output).name + "' does not know its producer " + current.label);
      check(!made[static_cast<size_t>(output)], "'" + value(output).name + "' is made twice");
      made[static_cast<size_t>(output)] = true;
    }
    for (const auto& subgraph : subgraphs(current)) {
      for (const Capture& capture : subgraph->captures) {
        const auto& implicit = current.implicit_inputs;
        check(std::find(implicit.begin(), implicit.end(), capture.outer) != implicit.end(),
              current.label + " does not list the captured '" + capture.name + "'");
      }
      subgraph->verify();
    }
  }
  for (const ValueId id : outputs)
    check(made[static_cast<size_t>(id)], "nothing makes the output '" + value(id).name + "'");
}

void set_label(const Graph& graph, Node& node) {
  node.label = (node.domain.empty() ? "" : node.domain + ".") + node.op_type;
  if (!node.name.empty()) {
    node.label += " '" + node.name + "'";
    return;
  }
  for (const ValueId output : node.outputs) {
    if (output == kNoValue) continue;
    node.label += " with output '" + graph.value(output).name + "'";
    return;
  }
}

std::shared_ptr<Graph> clone(const Graph& graph) {
  auto copy = std::make_shared<Graph>(graph);
  for (size_t id = 0; id < copy->node_count(); ++id) {
    for (Attribute& attribute : copy->node(static_cast<NodeId>(id)).attributes) {
      if (auto* subgraph = std::get_if<std::shared_ptr<Graph>>(&attribute.value)) *subgraph = clone(**subgraph);
      if (auto* list = std::get_if<std::vector<std::shared_ptr<Graph>>>(&attribute.value)) {
        for (auto& subgraph : *list) subgraph = clone(*subgraph);
      }
    }
  }
  return copy;
}

}  // namespace onnxrun
