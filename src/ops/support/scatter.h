#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "graph/operator.h"

namespace onnxrun::ops {

// Rows of n elements, one behind the other from element `first` of src on: row r is combined with that at element
// offsets[r] of dst, in their order.
using Combine =
    std::function<void(const void* src, int64_t first, void* dst, const int64_t* offsets, int64_t rows, int64_t n)>;

inline constexpr int64_t kRowsCombined = 256;  // at a time

// What the attribute `reduction` of a scatter operator at `version` may be, "none" by default.
std::string read_reduction(AttributeReader& attributes, int64_t since, int64_t extrema_since);

// The function of a reduction: "none" replaces, for every type that is not packed; "add", "mul", "min" and "max" are
// for numbers. \throws Error(invalid_model) for other types.
Combine make_combine(const std::string& reduction, DType dtype);

// Plans copying input 0 to output 0, in place where that is possible.
void plan_base_copy(PlanContext& context);

}  // namespace onnxrun::ops
