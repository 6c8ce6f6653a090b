#pragma once

#include <cstdint>
#include <vector>

#include "graph/operator.h"

namespace onnxrun::ops {

// Where the states of a loop are among its body's inputs and outputs.
struct LoopStates {
  size_t first_input = 0;
  size_t first_output = 0;
  size_t count = 0;
};

// Infers a loop's body with input types that hold in every iteration: what a state is at first, joined with what the
// body makes of it. Returns the types of the body's outputs, for states those that hold after any number of iterations.
std::vector<Type> infer_loop_body(const InferContext& context, const Graph& body, std::vector<Type> inputs,
                                  const LoopStates& states);

// Tensors of one shape as one, along a new axis; where there are fewer than `length`, zeros or empty strings follow.
// `element` tells shape and type where there are none; what it does not know of the shape becomes 0.
// \throws Error(run_failed) where the tensors differ.
Tensor stack(const std::vector<Tensor>& tensors, const Type& element, int64_t axis, int64_t length);

}  // namespace onnxrun::ops
