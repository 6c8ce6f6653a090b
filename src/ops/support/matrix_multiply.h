#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "graph/operator.h"
#include "kernels/epilogue.h"

namespace onnxrun::ops {

// Output 0 of a node as a row of dense [m, n] matrices, each the product of a matrix of input 0 and one of input 1.
struct MatrixMultiply {
  size_t m = 0, n = 0, k = 0;
  // Elements between neighbours; a transposed operand has them the other way round.
  ptrdiff_t a_row_stride = 0, a_col_stride = 1;
  ptrdiff_t b_row_stride = 0, b_col_stride = 1;
  // Where the operands of each product begin, in elements.
  std::vector<size_t> a_offsets, b_offsets;
  float alpha = 1;                  // a factor of the products
  std::optional<size_t> bias;       // an input of n elements that is added to each row
  std::optional<size_t> residual;   // an input like the output, for the step add_residual
  std::vector<EpilogueStep> steps;  // only with float32
};

// Plans it for any number type: float32 and float64 by packed kernels, 16-bit floats through float32, integers, which
// wrap around, by plain loops. Does not see to a product with k = 0 apart: it is the bias.
void plan_matrix_multiply(PlanContext& context, const MatrixMultiply& product);

}  // namespace onnxrun::ops
