#pragma once

#include "graph/graph.h"
#include "runtime/segment_plan.h"

namespace onnxrun {

// Multiplications of a step that are added up, as its operator is defined: what a faster algorithm saves is counted.
// 0 for operators that are no products.
double multiply_adds(const Node& node, const Step& step);

}  // namespace onnxrun
