#pragma once

#include "graph/graph.h"

namespace onnxrun {

// Replaces every node Gradient of ai.onnx.preview.training
// (https://onnx.ai/onnx/operators/onnx_aionnxpreviewtraining_Gradient.html), in subgraphs too, by nodes that compute
// it: reverse-mode differentiation of what lies between the node's xs and zs and its y. Where y has several elements,
// the gradient is that of their sum. \throws Error(unsupported_operator) for an operator without a rule,
// Error(invalid_model) for names that the graph does not have.
void expand_gradients(Graph& graph);

}  // namespace onnxrun
