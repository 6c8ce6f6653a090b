#include "ops/support/shape_checks.h"

#include <string>

namespace onnxrun::ops {

void check_shape(const InferContext& context, size_t i, const DimShape& want) {
  if (!context.has_input(i) || !context.shape(i).has_rank()) return;
  const DimShape& shape = context.shape(i);
  bool fits = shape.rank() == want.rank();
  for (size_t axis = 0; fits && axis < shape.rank(); ++axis) fits = !differ(shape[axis], want[axis]);
  if (!fits) {
    context.fail("input " + std::to_string(i) + " must have shape " + want.to_string() + ", it has " +
                 shape.to_string());
  }
}

Dim extent_of_rank(const InferContext& context, size_t i, size_t rank, size_t axis) {
  const DimShape& shape = context.shape(i);
  if (!shape.has_rank()) return Dim::unknown();
  if (shape.rank() != rank) {
    context.fail("input " + std::to_string(i) + " must have rank " + std::to_string(rank) + ", its shape is " +
                 shape.to_string());
  }
  return shape[axis];
}

}  // namespace onnxrun::ops
