#pragma once

#include <cstdint>

#include "graph/graph.h"

namespace onnxrun {

// Gives every random operator without the attribute `seed`, in subgraphs too, one that follows from `seed` and the
// node's place. The graph's nodes are not bound yet.
void seed_random_operators(Graph& graph, uint64_t seed);

}  // namespace onnxrun
