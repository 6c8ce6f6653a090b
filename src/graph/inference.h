#pragma once

#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "graph/operator.h"

namespace onnxrun {

// What is known before any rule runs: constants, and the declared types of inputs.
std::vector<ValueFact> initial_facts(const Graph& graph);

// The fact of a constant.
ValueFact constant_fact(const Constant& constant);

// Applies the signature and the shape rule of one node. `demand`: see InferContext::required_constant; may be null.
// \throws Error naming the node and its inputs.
void infer_node(const Graph& graph, const Node& node, std::vector<ValueFact>& facts,
                const InferContext::Demand& demand);

// Infers every value of the graph, and of its subgraphs, and stores type and content in it. Inputs' declared dimensions
// named in `dims` ("batch", "input.batch") take the number given.
// \throws Error(invalid_model) naming the node, or the graph output whose declared type contradicts the inferred one.
void infer_graph(Graph& graph, const std::map<std::string, int64_t>& dims, std::vector<std::string>& warnings);

// "'x' float32[1,3], 'w' float32[4]": a node's inputs for messages.
std::string describe_inputs(const Graph& graph, const Node& node, const std::vector<ValueFact>& facts);

}  // namespace onnxrun
