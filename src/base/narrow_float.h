#pragma once

#include <cstdint>

#include "onnxrun/dtype.h"

namespace onnxrun {

// Rounding of float8e8m0, which has powers of two alone.
enum class ScaleRounding : uint8_t { up, down, nearest };

// The value of a float8 (any of the five) or float4e2m1 element by its bits; NaN where it is one.
// Formats: https://onnx.ai/onnx/technical/float8.html, OCP Microscaling Formats v1.0.
float decode_narrow(DType dtype, uint8_t bits) noexcept;

// The element nearest to `value`, ties to even. Beyond the range: the largest finite value where `saturate`, otherwise
// infinity or NaN, whichever the format has; float4e2m1 always saturates and takes NaN as zero. float8e8m0 has no sign:
// it holds the magnitude, and where not `saturate` NaN for what lies outside its range, 0 included.
uint8_t encode_narrow(DType dtype, float value, bool saturate = true,
                      ScaleRounding rounding = ScaleRounding::up) noexcept;

// `value` rounded to float such that rounding the result to a narrower format gives what rounding `value` would:
// inexact results are odd.
float round_to_odd(double value) noexcept;

}  // namespace onnxrun
