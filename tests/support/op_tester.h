#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "onnxrun/error.h"
#include "onnxrun/value.h"
#include "support/model_builder.h"

namespace onnxrun {

// One use of one operator, with what the standard says it gives.
struct OpCase {
  std::string op;
  std::vector<Value> inputs;   // a Value of no kind: omitted
  std::vector<Value> outputs;  // a Value of no kind: not asked for
  ModelBuilder::Attributes attributes = {};
  int64_t opset = 21;
  double relative = 0;  // floats may differ by absolute + relative * |expected|; NaN equals NaN
  double absolute = 0;
  std::string domain = "";
};

// Runs the operator with shapes known, with every extent a symbol, and with its inputs constant; each without and with
// passes, on one thread and on three. Every run must give the expected values and the same bits, of the type that was
// inferred.
void expect_op(const OpCase& test);

// Loading or running the operator must fail with this code and a message that has `text` in it.
void expect_op_error(const OpCase& test, ErrorCode code, const std::string& text);

// A tensor of any number type or bool from plain numbers, 16-bit floats through float.
Tensor numbers(DType dtype, const Shape& shape, const std::vector<double>& values);
Tensor strings(const Shape& shape, const std::vector<std::string>& values);
// A sequence of tensors; one without elements is of float32.
Value sequence(std::vector<Value> elements);

}  // namespace onnxrun
