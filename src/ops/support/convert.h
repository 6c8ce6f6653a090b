#pragma once

#include <cstdint>
#include <functional>

#include "base/narrow_float.h"
#include "onnxrun/dtype.h"

namespace onnxrun::ops {

struct ConvertOptions {
  bool saturate = true;                        // to the float8 types
  ScaleRounding rounding = ScaleRounding::up;  // to float8e8m0
};

// Converts elements [begin, end) of `src` to the same elements of `dst`. Where a side is packed, begin is a multiple of
// 8. \throws Error(run_failed) for a string that is no number.
using Convert = std::function<void(const void* src, void* dst, int64_t begin, int64_t end)>;

// Conversion as https://onnx.ai/onnx/operators/onnx__Cast.html defines it, for all types but the complex ones. Floats
// beyond the range of an integer type of 8 bits and more take its nearest end, NaN becomes 0; integers keep their low
// bits.
Convert make_convert(DType from, DType to, const ConvertOptions& options = {});

}  // namespace onnxrun::ops
