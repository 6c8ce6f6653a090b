#pragma once

#include <vector>

#include "graph/operator.h"

namespace onnxrun {

// Runs one node whose inputs are all constants, on one thread; the outputs in order.
// \throws Error naming the node.
std::vector<Value> evaluate_node(const Graph& graph, const Node& node, const PlanOptions& options);

}  // namespace onnxrun
