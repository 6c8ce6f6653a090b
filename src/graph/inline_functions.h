#pragma once

#include "graph/graph.h"

namespace onnxrun {

// Replaces every call of a model-local function, in subgraphs too, by the function's body
// (https://onnx.ai/onnx/repo-docs/IR.html#functions). A model's function takes precedence over an operator of its name.
// \throws Error(invalid_model) for a call with surplus arguments, Error(limit) where functions call each other
// endlessly.
void inline_functions(GraphModel& model);

}  // namespace onnxrun
