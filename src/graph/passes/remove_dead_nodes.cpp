// Removes nodes whose outputs nobody reads, and optional outputs that exporters name but nobody reads: masks, indices,
// statistics, last states.
#include <algorithm>
#include <vector>

#include "graph/passes/pass.h"

namespace onnxrun {
namespace {

// Drops the captures that a subgraph no longer reads.
void drop_unused_captures(Node& node) {
  std::vector<ValueId> used;
  for (const auto& subgraph : Graph::subgraphs(node)) {
    const auto consumers = subgraph->consumers();
    std::erase_if(subgraph->captures, [&](const Capture& capture) {
      return consumers[static_cast<size_t>(capture.inner)].empty() && !subgraph->is_output(capture.inner);
    });
    for (const Capture& capture : subgraph->captures) used.push_back(capture.outer);
  }
  std::erase_if(node.implicit_inputs,
                [&](ValueId id) { return std::find(used.begin(), used.end(), id) == used.end(); });
}

void drop_unused_outputs(Graph& graph, Node& node, const std::vector<bool>& live) {
  const std::vector<Formal>& formals = node.entry->outputs;
  for (size_t j = 0; j < std::min(node.outputs.size(), formals.size()); ++j) {
    ValueId& output = node.outputs[j];
    if (output == kNoValue || live[static_cast<size_t>(output)]) continue;
    if (!formals[j].optional || formals[j].variadic) continue;
    graph.value(output).producer = kNoNode;
    output = kNoValue;
  }
  while (node.outputs.back() == kNoValue) node.outputs.pop_back();
}

}  // namespace

int remove_dead_nodes(Graph& graph, const PassContext& /*context*/) {
  std::vector<bool> live(graph.value_count(), false);
  for (const ValueId id : graph.outputs) live[static_cast<size_t>(id)] = true;
  int removed = 0;
  const std::vector<NodeId> order = graph.order();
  for (auto id = order.rbegin(); id != order.rend(); ++id) {
    Node& node = graph.node(*id);
    const bool needed = std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId output) {
      return output != kNoValue && live[static_cast<size_t>(output)];
    });
    if (!needed) {
      graph.remove_node(*id);
      ++removed;
      continue;
    }
    drop_unused_captures(node);
    if (node.entry) drop_unused_outputs(graph, node, live);
    for (const ValueId input : node.inputs) {
      if (input != kNoValue) live[static_cast<size_t>(input)] = true;
    }
    for (const ValueId input : node.implicit_inputs) live[static_cast<size_t>(input)] = true;
  }
  return removed;
}

}  // namespace onnxrun
