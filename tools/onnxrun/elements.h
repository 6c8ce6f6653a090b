#pragma once

#include <complex>
#include <cstdint>
#include <string>

#include "onnxrun/tensor.h"

namespace onnxrun::cli {

// Single elements of any element type by their linear index, for printing, comparing and filling; not for speed.

bool is_complex(DType dtype);
bool is_float(DType dtype);

// A number as it is: long double holds every element type. For complex types the real part.
long double element_as_real(const TensorView& tensor, int64_t index);
std::complex<double> element_as_complex(const TensorView& tensor, int64_t index);

// Stores `value`: rounded to nearest even for floating-point types, towards zero for integers; saturating.
void set_element(Tensor& tensor, int64_t index, double value);

// The shortest text that gives the element back; strings in double quotes.
std::string element_text(const TensorView& tensor, int64_t index);

}  // namespace onnxrun::cli
