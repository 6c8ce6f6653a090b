#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "ops/support/integer_product.h"
#include "ops/support/matmul_extents.h"

namespace onnxrun::ops {

// Where the scales or zero points of a matrix operand are: for row (first factor) or column (second factor) i of a
// matrix, element offsets[matrix] + i * step.
struct MatrixParameter {
  std::vector<size_t> offsets;
  size_t step = 0;
};

// Finds them for matrices of shape `data`: one for all, a vector of one for each row (column), or an N-d tensor of
// [..., M, 1] ([..., 1, N]). \throws Error(invalid_model) where the shape does not fit.
MatrixParameter matrix_parameter(const Shape& parameter, const Shape& data, bool is_first);

// The same check while shapes are inferred, as far as they are known.
void check_matrix_parameter(const InferContext& context, size_t parameter, size_t data, bool is_first);

// The product of 8-bit matrices `a` and `b` (inputs), less their zero points (inputs, optional).
IntegerProduct integer_matmul(const PlanContext& context, size_t a, std::optional<size_t> a_zero, size_t b,
                              std::optional<size_t> b_zero);

// Several first factors of one zero point times one second factor are one product of all their rows.
void join_rows(IntegerProduct& product);

}  // namespace onnxrun::ops
