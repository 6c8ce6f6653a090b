#pragma once

#include <cstddef>
#include <vector>

#include "graph/operator.h"

namespace onnxrun::ops {

// The shape of numpy's matmul. \throws Error(invalid_model) where the shapes do not fit.
DimShape matmul_shape(const DimShape& a, const DimShape& b);

// numpy's matmul as a row of products of dense [m, k] and [k, n] matrices.
struct MatMulExtents {
  MatMulExtents(const Shape& a, const Shape& b);

  size_t m = 0, n = 0, k = 0;
  size_t a_matrices = 0, b_matrices = 0;   // in each operand
  std::vector<size_t> a_matrix, b_matrix;  // of each product, their indices
};

}  // namespace onnxrun::ops
