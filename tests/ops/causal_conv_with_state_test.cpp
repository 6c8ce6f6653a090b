#include <gtest/gtest.h>

#include <cmath>

#include "support/op_tester.h"
#include "support/sample.h"

namespace onnxrun {
namespace {

TEST(CausalConvWithState, SumsThePast) {
  const OpCase test = {.op = "CausalConvWithState",
                       .inputs = {floats({1, 2, 3}, {1, 2, 3, 4, 5, 6}), floats({2, 1, 2}, {10, 1, 0, 2})},
                       .outputs = {floats({1, 2, 3}, {1, 12, 23, 8, 10, 12}), floats({1, 2, 1}, {3, 6})},
                       .opset = 27};
  expect_op(test);
  OpCase with_all = test;
  with_all.inputs.emplace_back(floats({2}, {100, 0}));
  with_all.inputs.emplace_back(floats({1, 2, 1}, {7, 8}));
  with_all.outputs[0] = floats({1, 2, 3}, {171, 112, 123, 8, 10, 12});
  expect_op(with_all);
}

TEST(CausalConvWithState, ActivatesLongRowsInEveryType) {
  constexpr int64_t kLength = 1030;
  const auto x = sample(2 * kLength, 1);
  const auto past = sample(size_t{2} * 3, 2);
  const std::vector<double> weight = {0.5, -0.25, 1, 0.125};
  std::vector<double> y;
  std::vector<double> state;
  for (int64_t row = 0; row < 2; ++row) {
    std::vector<double> padded(past.begin() + row * 3, past.begin() + row * 3 + 3);
    padded.insert(padded.end(), x.begin() + row * kLength, x.begin() + (row + 1) * kLength);
    for (size_t i = 0; i < kLength; ++i) {
      double sum = 0;
      for (size_t t = 0; t < 4; ++t) sum += weight[t] * padded[i + t];
      y.push_back(sum / (1 + std::exp(-sum)));
    }
    state.insert(state.end(), padded.end() - 3, padded.end());
  }
  const std::pair<DType, double> types[] = {{DType::float32, 1e-5}, {DType::float16, 4e-3}, {DType::bfloat16, 4e-2}};
  for (const auto& [dtype, tolerance] : types) {
    for (const char* activation : {"silu", "swish"}) {
      expect_op({.op = "CausalConvWithState",
                 .inputs = {numbers(dtype, {2, 1, kLength}, x), numbers(dtype, {1, 1, 4}, weight), Value(),
                            numbers(dtype, {2, 1, 3}, past)},
                 .outputs = {numbers(dtype, {2, 1, kLength}, y), numbers(dtype, {2, 1, 3}, state)},
                 .attributes = {{"activation", std::string(activation)}},
                 .opset = 27,
                 .relative = tolerance,
                 .absolute = tolerance});
    }
  }
}

TEST(CausalConvWithState, KeepsMoreThanItWasGiven) {
  expect_op({.op = "CausalConvWithState",
             .inputs = {floats({1, 1, 1}, {9}), floats({1, 1, 4}, {0, 0, 0, 1}), Value(), floats({1, 1, 3}, {1, 2, 3})},
             .outputs = {floats({1, 1, 1}, {9}), floats({1, 1, 3}, {2, 3, 9})},
             .opset = 27});
  expect_op({.op = "CausalConvWithState",
             .inputs = {floats({1, 1, 2}, {1, 2}), floats({1, 1, 1}, {3})},
             .outputs = {floats({1, 1, 2}, {3, 6}), floats({1, 1, 0}, {})},
             .opset = 27});
}

TEST(CausalConvWithState, RefusesWhatDoesNotFit) {
  const Tensor x = floats({1, 1, 1}, {9});
  const auto expect = [&](std::vector<Value> inputs, const std::string& text) {
    expect_op_error({.op = "CausalConvWithState", .inputs = std::move(inputs), .outputs = {x, x}, .opset = 27},
                    ErrorCode::invalid_model, text);
  };
  expect({x, floats({2, 1, 1}, {1, 2})}, "input 1 must have shape [1,1,1]");
  expect({x, floats({1, 1, 0}, {})}, "the kernel is empty");
  expect({x, x, floats({2}, {1, 2})}, "input 2 must have shape [1]");
  expect({x, x, Value(), x}, "input 3 must have shape [1,1,0]");
  expect({floats({1, 1}, {1}), x}, "must have rank 3");
}

}  // namespace
}  // namespace onnxrun
