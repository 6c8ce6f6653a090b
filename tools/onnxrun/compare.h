#pragma once

#include <string>

#include "onnxrun/value.h"

namespace onnxrun::cli {

struct Tolerance {
  double rtol = 1e-3;
  double atol = 1e-7;
};

// What is wrong with `got` by the rule of ONNX's backend tests; empty where it agrees. Kind, element type and shape are
// the same; numbers by numpy's assert_allclose, |got - want| <= atol + rtol * |want|, NaN equals NaN, infinities are
// equal; strings are equal (https://numpy.org/doc/stable/reference/generated/numpy.testing.assert_allclose.html).
std::string difference(const Value& got, const Value& want, const Tolerance& tolerance);

// The same without the elements: kind, element type and shape.
std::string type_difference(const Value& got, const Value& want);

}  // namespace onnxrun::cli
