#pragma once

#include <vector>

#include "graph/attribute.h"
#include "kernels/epilogue.h"

namespace onnxrun::ops {

// The kernel's form of fused steps. \throws Error(invalid_model) for an operator that cannot be fused.
std::vector<EpilogueStep> epilogue_steps(const std::vector<FusedStep>& steps);

// "+Add+Relu": for Operator::plan's implementation name.
std::string describe(const std::vector<FusedStep>& steps);

}  // namespace onnxrun::ops
