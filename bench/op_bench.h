#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench_support.h"
#include "support/model_builder.h"

namespace onnxrun::bench {

// One operator on given operands.
struct OpUse {
  std::string op;
  std::vector<Tensor> inputs;  // an undefined one: omitted
  size_t fed = 1;              // the first so many are inputs of the model, the others constants
  ModelBuilder::Attributes attributes = {};
  int64_t opset = 21;
  std::vector<std::string> outputs = {"y"};  // the first is asked for
};

// Measures the operator as a model of one node on one thread. Counts the bytes of its inputs and its first output once
// each, and `operations` floating-point operations where there are any.
void run_op(benchmark::State& state, const OpUse& use, double operations = 0);

// Elements in [0, limit) from a fixed seed, of an integer type of 8 or 64 bits.
Tensor random_integers(DType dtype, const Shape& shape, int64_t limit);

}  // namespace onnxrun::bench
