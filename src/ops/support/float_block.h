#pragma once

#include <cstdint>

#include "onnxrun/dtype.h"

namespace onnxrun::ops {

// Elements [at, at + n) of any float type as numbers of C, float or double, and back, rounded to nearest even.
template <class C>
void load_floats(DType dtype, const void* src, int64_t at, int64_t n, C* dst);
template <class C>
void store_floats(DType dtype, const C* src, void* dst, int64_t at, int64_t n);

}  // namespace onnxrun::ops
