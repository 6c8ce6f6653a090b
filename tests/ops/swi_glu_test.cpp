#include <gtest/gtest.h>

#include <cmath>

#include "support/op_tester.h"
#include "support/sample.h"

namespace onnxrun {
namespace {

TEST(SwiGlu, MultipliesByTheGate) {
  constexpr size_t kCount = 1500;
  const auto a = sample(kCount, 1);
  const auto b = sample(kCount, 2);
  const std::pair<DType, double> types[] = {
      {DType::float32, 1e-6}, {DType::float64, 1e-14}, {DType::float16, 4e-3}, {DType::bfloat16, 3e-2}};
  for (const double alpha : {1.0, 1.5}) {
    std::vector<double> y;
    for (size_t i = 0; i < kCount; ++i) y.push_back(a[i] / (1 + std::exp(-alpha * a[i])) * b[i]);
    for (const auto& [dtype, tolerance] : types) {
      expect_op({.op = "SwiGLU",
                 .inputs = {numbers(dtype, {3, 500}, a), numbers(dtype, {3, 500}, b)},
                 .outputs = {numbers(dtype, {3, 500}, y)},
                 .attributes = {{"alpha", static_cast<float>(alpha)}},
                 .opset = 28,
                 .relative = tolerance,
                 .absolute = tolerance});
    }
  }
}

TEST(SwiGlu, TakesScalarsAndEmptyTensorsOfOneShape) {
  expect_op({.op = "SwiGLU", .inputs = {floats({}, {0}), floats({}, {3})}, .outputs = {floats({}, {0})}, .opset = 28});
  expect_op({.op = "SwiGLU", .inputs = {floats({0}, {}), floats({0}, {})}, .outputs = {floats({0}, {})}, .opset = 28});
  expect_op_error({.op = "SwiGLU",
                   .inputs = {floats({2}, {0, 1}), floats({1}, {3})},
                   .outputs = {floats({2}, {0, 0})},
                   .opset = 28},
                  ErrorCode::invalid_model, "must be the same");
}

}  // namespace
}  // namespace onnxrun
