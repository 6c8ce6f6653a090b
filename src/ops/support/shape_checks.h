#pragma once

#include <cstddef>

#include "graph/operator.h"

namespace onnxrun::ops {

// Whether both are numbers, and not the same.
inline bool differ(const Dim& a, const Dim& b) { return a.is_number() && b.is_number() && a != b; }

// Checks that input `i`, where it is given, may have the shape `want`. \throws Error(invalid_model).
void check_shape(const InferContext& context, size_t i, const DimShape& want);

// Extent `axis` of input `i`; unknown where its rank is. \throws Error(invalid_model) where it is not `rank`.
Dim extent_of_rank(const InferContext& context, size_t i, size_t rank, size_t axis);

}  // namespace onnxrun::ops
