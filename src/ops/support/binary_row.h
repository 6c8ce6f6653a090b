#pragma once

#include <cstddef>

#include "ops/support/elementwise.h"

namespace onnxrun::ops {

// A row function of f(T, T) -> Out, for types and functions that have no kernel of their own.
template <class T, class Out, class F>
BinaryRow binary_row_of(F f) {
  return [f](const void* a_data, ptrdiff_t a_step, const void* b_data, ptrdiff_t b_step, void* out_data, size_t n) {
    const T* a = static_cast<const T*>(a_data);
    const T* b = static_cast<const T*>(b_data);
    Out* out = static_cast<Out*>(out_data);
    if (a_step == 1 && b_step == 1) {
      for (size_t i = 0; i < n; ++i) out[i] = f(a[i], b[i]);
    } else {
      for (size_t i = 0; i < n; ++i) {
        const auto k = static_cast<ptrdiff_t>(i);
        out[i] = f(a[k * a_step], b[k * b_step]);
      }
    }
  };
}

// The element type in which a row function of numbers works: float32 for 16-bit floats.
inline DType row_dtype(DType dtype) {
  return dtype == DType::float16 || dtype == DType::bfloat16 ? DType::float32 : dtype;
}

}  // namespace onnxrun::ops
