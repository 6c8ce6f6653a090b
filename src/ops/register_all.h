#pragma once

namespace onnxrun {

class OpRegistry;

// Adds every operator of src/ops to `registry`.
void register_all_operators(OpRegistry& registry);

}  // namespace onnxrun
