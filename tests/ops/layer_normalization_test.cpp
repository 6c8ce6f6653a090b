#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/op_tester.h"
#include "support/sample.h"

namespace onnxrun {
namespace {

struct Normalized {
  std::vector<double> y, mean, inverse;
};

// The formulas of the specification over rows of n elements.
Normalized normalize(const std::vector<double>& x, size_t n, double epsilon, bool is_centered) {
  Normalized result;
  for (size_t begin = 0; begin < x.size(); begin += n) {
    double mean = 0;
    for (size_t i = begin; i < begin + n; ++i) mean += is_centered ? x[i] / static_cast<double>(n) : 0;
    double variance = 0;
    for (size_t i = begin; i < begin + n; ++i) variance += (x[i] - mean) * (x[i] - mean) / static_cast<double>(n);
    const double inverse = 1 / std::sqrt(variance + epsilon);
    for (size_t i = begin; i < begin + n; ++i) result.y.push_back((x[i] - mean) * inverse);
    result.mean.push_back(mean);
    result.inverse.push_back(inverse);
  }
  return result;
}

std::vector<double> scaled(const std::vector<double>& y, const std::vector<double>& scale,
                           const std::vector<double>& bias) {
  std::vector<double> result;
  for (size_t i = 0; i < y.size(); ++i) {
    result.push_back(y[i] * scale[i % scale.size()] + (bias.empty() ? 0 : bias[i % bias.size()]));
  }
  return result;
}

TEST(LayerNormalization, NormalizesTheLastAxesInEveryFloatType) {
  const auto x = sample(size_t{4} * 3 * 37, 1);
  const auto scale = sample(size_t{3} * 37, 2);
  const auto bias = sample(size_t{3} * 37, 3);
  const Normalized expected = normalize(x, size_t{3} * 37, 1e-5F, true);
  const std::pair<DType, double> types[] = {
      {DType::float32, 1e-5}, {DType::float64, 1e-12}, {DType::float16, 3e-3}, {DType::bfloat16, 2e-2}};
  for (const auto& [dtype, tolerance] : types) {
    const Shape shape = {4, 3, 37};
    const Shape row = {3, 37};
    const double statistic = std::max(tolerance, 1e-5);
    expect_op({.op = "LayerNormalization",
               .inputs = {numbers(dtype, shape, x), numbers(dtype, row, scale), numbers(dtype, row, bias)},
               .outputs = {numbers(dtype, shape, scaled(expected.y, scale, bias)),
                           numbers(DType::float32, {4, 1, 1}, expected.mean),
                           numbers(DType::float32, {4, 1, 1}, expected.inverse)},
               .attributes = {{"axis", int64_t{-2}}},
               .relative = statistic,
               .absolute = statistic});
    expect_op({.op = "LayerNormalization",
               .inputs = {numbers(dtype, shape, x), numbers(dtype, row, scale)},
               .outputs = {numbers(dtype, shape, scaled(expected.y, scale, {}))},
               .attributes = {{"axis", int64_t{1}}},
               .relative = tolerance,
               .absolute = tolerance});
  }
}

TEST(LayerNormalization, BroadcastsScaleAndBias) {
  const auto x = sample(size_t{2} * 3 * 5, 4);
  const Normalized expected = normalize(x, 5, 0.5, true);
  // scale [3, 1] is one number a row, bias [2, 1, 5] changes with the outermost axis, or is a scalar.
  const std::vector<double> scale = {2, -1, 0.5};
  const auto bias = sample(10, 5);
  std::vector<double> y;
  std::vector<double> with_scalar;
  for (size_t i = 0; i < x.size(); ++i) {
    const double factor = expected.y[i] * scale[i / 5 % 3];
    y.push_back(factor + bias[i / 15 * 5 + i % 5]);
    with_scalar.push_back(factor + 3);
  }
  const OpCase test = {
      .op = "LayerNormalization",
      .inputs = {numbers(DType::float32, {2, 3, 5}, x), numbers(DType::float32, {3, 1}, scale),
                 numbers(DType::float32, {2, 1, 5}, bias)},
      .outputs = {numbers(DType::float32, {2, 3, 5}, y), Value(), numbers(DType::float32, {2, 3, 1}, expected.inverse)},
      .attributes = {{"epsilon", 0.5F}},
      .relative = 1e-5,
      .absolute = 1e-6};
  expect_op(test);
  OpCase scalar_bias = test;
  scalar_bias.inputs[2] = numbers(DType::float32, {}, {3});
  scalar_bias.outputs = {numbers(DType::float32, {2, 3, 5}, with_scalar)};
  expect_op(scalar_bias);
}

TEST(LayerNormalization, KeepsStatisticsInBfloat16) {
  expect_op({.op = "LayerNormalization",
             .inputs = {floats({2, 2}, {1, 3, -3, 1}), floats({2}, {1, 1})},
             .outputs = {floats({2, 2}, {-1, 1, -1, 1}), numbers(DType::bfloat16, {2, 1}, {2, -1}),
                         numbers(DType::bfloat16, {2, 1}, {1, 0.5})},
             .attributes = {{"stash_type", int64_t{16}}, {"epsilon", 0.0F}}});
}

TEST(LayerNormalization, KeepsItsPrecisionFarFromZero) {
  expect_op({.op = "LayerNormalization",
             .inputs = {floats({1, 4}, {100000, 100001, 100002, 100003}), floats({4}, {1, 1, 1, 1})},
             .outputs = {floats({1, 4}, {-1.3416354F, -0.4472118F, 0.4472118F, 1.3416354F})},
             .relative = 1e-5});
}

TEST(LayerNormalization, TakesEmptyAndNotFiniteRows) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  expect_op({.op = "LayerNormalization",
             .inputs = {floats({0, 3}, {}), floats({3}, {1, 1, 1})},
             .outputs = {floats({0, 3}, {}), floats({0, 1}, {})}});
  expect_op({.op = "LayerNormalization",
             .inputs = {floats({2, 0}, {}), floats({0}, {})},
             .outputs = {floats({2, 0}, {}), floats({2, 1}, {nan, nan})}});
  expect_op({.op = "LayerNormalization",
             .inputs = {floats({2, 2}, {nan, 1, 4, 4}), floats({2}, {1, 1})},
             .outputs = {floats({2, 2}, {nan, nan, 0, 0})}});
}

TEST(LayerNormalization, RefusesWhatDoesNotFit) {
  const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  expect_op_error({.op = "LayerNormalization", .inputs = {x, floats({2}, {1, 1})}, .outputs = {x}},
                  ErrorCode::invalid_model, "does not broadcast");
  expect_op_error({.op = "LayerNormalization",
                   .inputs = {x, floats({3}, {1, 1, 1})},
                   .outputs = {x},
                   .attributes = {{"axis", int64_t{2}}}},
                  ErrorCode::invalid_model, "axis 2 is out of range");
  expect_op_error({.op = "LayerNormalization",
                   .inputs = {x, floats({3}, {1, 1, 1})},
                   .outputs = {x},
                   .attributes = {{"stash_type", int64_t{11}}}},
                  ErrorCode::invalid_model, "stash_type");
}

TEST(RmsNormalization, DividesByTheRootMeanSquare) {
  const auto x = sample(size_t{6} * 50, 6);
  const auto scale = sample(50, 7);
  const Normalized expected = normalize(x, 50, 1e-5F, false);
  const std::pair<DType, DType> types[] = {{DType::float32, DType::float32},   {DType::float64, DType::float64},
                                           {DType::float16, DType::float32},   {DType::float32, DType::bfloat16},
                                           {DType::bfloat16, DType::bfloat16}, {DType::float16, DType::float64}};
  for (const auto& [x_type, y_type] : types) {
    const double tolerance = x_type == y_type && x_type == DType::float64           ? 1e-12
                             : x_type == DType::float32 && y_type == DType::float32 ? 1e-5
                                                                                    : 2e-2;
    expect_op({.op = "RMSNormalization",
               .inputs = {numbers(x_type, {6, 50}, x), numbers(y_type, {50}, scale)},
               .outputs = {numbers(y_type, {6, 50}, scaled(expected.y, scale, {}))},
               .opset = 23,
               .relative = tolerance,
               .absolute = tolerance});
  }
}

TEST(RmsNormalization, WorksByHand) {
  expect_op({.op = "RMSNormalization",
             .inputs = {floats({1, 2}, {3, 4}), floats({}, {5})},
             .outputs = {floats({1, 2}, {4.2426407F, 5.6568542F})},  // 5 x / sqrt(12.5)
             .attributes = {{"epsilon", 0.0F}, {"axis", int64_t{0}}},
             .opset = 23,
             .relative = 1e-6});
}

}  // namespace
}  // namespace onnxrun
