#include <gtest/gtest.h>

#include <cmath>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(MeanVarianceNormalization, NormalizesOverBatchAndMapsByDefault) {
  // Two channels: 1 3 5 7 (mean 4, deviation sqrt(5)) and 10 10 10 10.
  const double d = std::sqrt(5.0);
  const std::vector<double> x = {1, 3, 10, 10, 5, 7, 10, 10};
  const std::vector<double> y = {-3 / d, -1 / d, 0, 0, 1 / d, 3 / d, 0, 0};
  const std::pair<DType, double> types[] = {
      {DType::float32, 1e-6}, {DType::float64, 1e-8}, {DType::float16, 1e-3}, {DType::bfloat16, 1e-2}};
  for (const auto& [dtype, tolerance] : types) {
    expect_op({.op = "MeanVarianceNormalization",
               .inputs = {numbers(dtype, {2, 2, 1, 2}, x)},
               .outputs = {numbers(dtype, {2, 2, 1, 2}, y)},
               .opset = 13,
               .relative = tolerance});
  }
  expect_op({.op = "MeanVarianceNormalization",
             .inputs = {numbers(DType::float32, {2, 2, 1, 2}, x)},
             .outputs = {numbers(DType::float32, {2, 2, 1, 2}, y)},
             .opset = 9,
             .relative = 1e-6});
}

// Rows of many elements far from zero, against the formula in double.
TEST(MeanVarianceNormalization, KeepsSmallDeviationsOfLargeNumbers) {
  constexpr int64_t kSize = 1003;
  std::vector<float> x;
  double mean = 0, variance = 0;
  for (int64_t i = 0; i < kSize; ++i) {
    x.push_back(1e6F + static_cast<float>(i * 37 % 64) / 16);
    mean += static_cast<double>(x.back()) / kSize;
  }
  for (const float value : x)
    variance += (static_cast<double>(value) - mean) * (static_cast<double>(value) - mean) / kSize;
  std::vector<double> y;
  y.reserve(x.size());
  for (const float value : x) y.push_back((static_cast<double>(value) - mean) / std::sqrt(variance));
  expect_op({.op = "MeanVarianceNormalization",
             .inputs = {floats({1, kSize}, x)},
             .outputs = {numbers(DType::float32, {1, kSize}, y)},
             .attributes = {{"axes", std::vector<int64_t>{1}}},
             .relative = 1e-5,
             .absolute = 1e-5});
}

TEST(MeanVarianceNormalization, TakesAnyAxes) {
  const Tensor x = floats({2, 3}, {1, 2, 30, 3, 6, 10});
  expect_op({.op = "MeanVarianceNormalization",
             .inputs = {x},
             .outputs = {floats({2, 3}, {-1, -1, 1, 1, 1, -1})},
             .attributes = {{"axes", std::vector<int64_t>{0}}},
             .relative = 1e-6});
  expect_op({.op = "MeanVarianceNormalization",
             .inputs = {floats({1, 2}, {-1, 3})},
             .outputs = {floats({1, 2}, {-1, 1})},
             .attributes = {{"axes", std::vector<int64_t>{-1, 0}}},
             .relative = 1e-6});
  expect_op({.op = "MeanVarianceNormalization",
             .inputs = {floats({2, 0}, {})},
             .outputs = {floats({2, 0}, {})},
             .attributes = {{"axes", std::vector<int64_t>{1}}}});
  expect_op_error({.op = "MeanVarianceNormalization", .inputs = {x}, .outputs = {x}}, ErrorCode::invalid_model,
                  "axes 2 is out of range");
}

}  // namespace
}  // namespace onnxrun
