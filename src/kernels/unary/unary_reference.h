#pragma once

#include "kernels/epilogue.h"
#include "kernels/unary/unary.h"

namespace onnxrun {

// One number by unary_f64.
double unary_reference(UnaryKind kind, double x, double alpha, double beta);

// The steps of an epilogue for one element; `residual` is its operand, or nullptr when no step is add_residual.
double epilogue_reference(double x, const float* residual, const EpilogueStep* steps, int step_count);

}  // namespace onnxrun
