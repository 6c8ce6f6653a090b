#pragma once

#include <vector>

#include "graph/operator.h"
#include "ops/support/axis_sampling.h"

namespace onnxrun::ops {

// Plans output 0 = input 0 resampled along every axis, `axes` having one entry for each. Sums in float32, in float64
// for elements of 32 bits and more that are not float32; integers round to the nearest, halves to even, and saturate.
// Strings need axes without weights.
void plan_resample(PlanContext& context, const std::vector<AxisSampling>& axes, float extrapolation_value);

}  // namespace onnxrun::ops
