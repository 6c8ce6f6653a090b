#pragma once

#include <cstdint>
#include <vector>

#include "graph/operator.h"

namespace onnxrun::ops {

// A product of tensors with named axes, summed over the names that the output has not.
struct Contraction {
  std::vector<std::vector<size_t>> inputs;  // the names of each input's axes; a name may be there twice: the diagonal
  std::vector<size_t> output;
  std::vector<int64_t> extents;  // of each name; an input's axis may be 1 instead
};

// Plans it for all numbers but the 8-bit and 4-bit floats: from left to right, two tensors at a time, float32 and
// float64 by packed matrix products where there is one in it. 16-bit floats go through float, integers wrap around.
void plan_contraction(PlanContext& context, const Contraction& contraction);

}  // namespace onnxrun::ops
