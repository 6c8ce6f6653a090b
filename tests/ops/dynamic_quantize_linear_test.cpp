#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

void expect_quantized(const Tensor& x, const std::vector<double>& y, float scale, double zero) {
  expect_op({.op = "DynamicQuantizeLinear",
             .inputs = {x},
             .outputs = {numbers(DType::uint8, x.shape(), y), floats({}, {scale}), numbers(DType::uint8, {}, {zero})},
             .opset = 11});
}

TEST(DynamicQuantizeLinear, SpansTheDataAndZero) {
  expect_quantized(floats({6}, {0, 2, -3, -2.4F, 1.34F, 0.5F}), {153, 255, 0, 31, 221, 179}, 5.0F / 255, 153);
  expect_quantized(floats({2}, {-1, -5.1F}), {205, 0}, 5.1F / 255, 255);
  expect_quantized(floats({2, 1}, {1, 5.1F}), {50, 255}, 5.1F / 255, 0);
}

TEST(DynamicQuantizeLinear, TakesZerosNothingAndNan) {
  expect_quantized(floats({2}, {0, 0}), {0, 0}, 1, 0);
  expect_quantized(floats({0, 2}, {}), {}, 1, 0);
  expect_quantized(floats({3}, {std::numeric_limits<float>::quiet_NaN(), 0, 255}), {0, 0, 255}, 1, 0);
}

TEST(DynamicQuantizeLinear, FindsTheRangeAcrossTiles) {
  constexpr int64_t kCount = 100001;
  std::vector<float> x(kCount);
  std::vector<double> y(kCount);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 1000) / 1000;
  x[99998] = -1;
  x[77777] = 3;
  const float scale = 4.0F / 255;
  const float zero = std::nearbyint(1 / scale);
  for (size_t i = 0; i < x.size(); ++i) y[i] = std::clamp(std::nearbyint(x[i] / scale) + zero, 0.0F, 255.0F);
  expect_quantized(floats({kCount}, x), y, scale, zero);
}

TEST(DynamicQuantizeLinear, LeavesOutWhatNobodyWants) {
  expect_op({.op = "DynamicQuantizeLinear",
             .inputs = {floats({1}, {255})},
             .outputs = {Value(), floats({}, {1}), Value()},
             .opset = 11});
}

}  // namespace
}  // namespace onnxrun
