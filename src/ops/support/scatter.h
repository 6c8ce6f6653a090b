#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "graph/operator.h"

namespace onnxrun::ops {

// dst[i] = dst[i] combined with src[i] for i < n, by element offsets.
using Combine = std::function<void(const void* src, int64_t src_offset, void* dst, int64_t dst_offset, int64_t n)>;

// What the attribute `reduction` of a scatter operator at `version` may be, "none" by default.
std::string read_reduction(AttributeReader& attributes, int64_t since, int64_t extrema_since);

// The function of a reduction: "none" replaces, for every type that is not packed; "add", "mul", "min" and "max" are
// for numbers. \throws Error(invalid_model) for other types.
Combine make_combine(const std::string& reduction, DType dtype);

// Plans copying input 0 to output 0, in place where that is possible.
void plan_base_copy(PlanContext& context);

}  // namespace onnxrun::ops
