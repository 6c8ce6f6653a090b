#include <gtest/gtest.h>

#include <cmath>

#include "support/op_tester.h"
#include "support/sample.h"

namespace onnxrun {
namespace {

// [N, C, inner] in groups of channels; `scale` and `bias` by channel.
std::vector<double> group_normalize(const std::vector<double>& x, size_t channels, size_t inner, size_t groups,
                                    const std::vector<double>& scale, const std::vector<double>& bias, double epsilon) {
  const size_t n = channels / groups * inner;
  std::vector<double> y(x.size());
  for (size_t begin = 0; begin < x.size(); begin += n) {
    double mean = 0;
    double variance = 0;
    for (size_t i = begin; i < begin + n; ++i) mean += x[i] / static_cast<double>(n);
    for (size_t i = begin; i < begin + n; ++i) variance += (x[i] - mean) * (x[i] - mean) / static_cast<double>(n);
    for (size_t i = begin; i < begin + n; ++i) {
      const size_t c = i / inner % channels;
      y[i] = scale[c] * (x[i] - mean) / std::sqrt(variance + epsilon) + bias[c];
    }
  }
  return y;
}

const std::pair<DType, double> kTypes[] = {
    {DType::float32, 2e-5}, {DType::float64, 1e-12}, {DType::float16, 3e-3}, {DType::bfloat16, 3e-2}};

TEST(InstanceNormalization, NormalizesEveryMap) {
  const auto x = sample(size_t{2} * 3 * 5 * 7, 1);
  const std::vector<double> scale = {1, -2, 0.5};
  const std::vector<double> bias = {0, 1, -1};
  const auto y = group_normalize(x, 3, 35, 3, scale, bias, 1e-5F);
  for (const auto& [dtype, tolerance] : kTypes) {
    expect_op({.op = "InstanceNormalization",
               .inputs = {numbers(dtype, {2, 3, 5, 7}, x), numbers(dtype, {3}, scale), numbers(dtype, {3}, bias)},
               .outputs = {numbers(dtype, {2, 3, 5, 7}, y)},
               .opset = 22,
               .relative = tolerance,
               .absolute = tolerance});
  }
  expect_op({.op = "InstanceNormalization",
             .inputs = {numbers(DType::float32, {2, 3, 35}, x), numbers(DType::float32, {3}, scale),
                        numbers(DType::float32, {3}, bias)},
             .outputs = {numbers(DType::float32, {2, 3, 35}, y)},
             .attributes = {{"consumed_inputs", std::vector<int64_t>{0}}},
             .opset = 1,
             .relative = 2e-5,
             .absolute = 2e-5});
}

TEST(InstanceNormalization, GivesTheBiasWhereAMapIsOneElement) {
  expect_op({.op = "InstanceNormalization",
             .inputs = {floats({1, 2, 1}, {5, 6}), floats({2}, {1, 1}), floats({2}, {3, 4})},
             .outputs = {floats({1, 2, 1}, {3, 4})}});
  expect_op({.op = "InstanceNormalization",
             .inputs = {floats({0, 2, 4}, {}), floats({2}, {1, 1}), floats({2}, {3, 4})},
             .outputs = {floats({0, 2, 4}, {})}});
}

TEST(InstanceNormalization, RefusesWhatDoesNotFit) {
  expect_op_error({.op = "InstanceNormalization",
                   .inputs = {floats({1, 2, 1}, {5, 6}), floats({1}, {1}), floats({2}, {3, 4})},
                   .outputs = {floats({1, 2, 1}, {3, 4})}},
                  ErrorCode::invalid_model, "must have shape [2]");
  expect_op_error({.op = "InstanceNormalization",
                   .inputs = {floats({2}, {5, 6}), floats({2}, {1, 1}), floats({2}, {3, 4})},
                   .outputs = {floats({2}, {3, 4})}},
                  ErrorCode::invalid_model, "its rank is 1");
}

TEST(GroupNormalization, ScalesByChannel) {
  const auto x = sample(size_t{2} * 6 * 4 * 3, 2);
  const auto scale = sample(6, 3);
  const auto bias = sample(6, 4);
  const auto y = group_normalize(x, 6, 12, 2, scale, bias, 0.01F);
  for (const auto& [dtype, tolerance] : kTypes) {
    expect_op({.op = "GroupNormalization",
               .inputs = {numbers(dtype, {2, 6, 4, 3}, x), numbers(dtype, {6}, scale), numbers(dtype, {6}, bias)},
               .outputs = {numbers(dtype, {2, 6, 4, 3}, y)},
               .attributes = {{"num_groups", int64_t{2}}, {"epsilon", 0.01F}, {"stash_type", int64_t{1}}},
               .relative = tolerance,
               .absolute = tolerance});
  }
  expect_op({.op = "GroupNormalization",
             .inputs = {floats({1, 4}, {1, 3, -5, 5}), floats({4}, {1, 2, 3, 4}), floats({4}, {0, 0, 0, 1})},
             .outputs = {floats({1, 4}, {-1, 2, -3, 5})},
             .attributes = {{"num_groups", int64_t{2}}, {"epsilon", 0.0F}}});
}

TEST(GroupNormalization, ScalesByGroupInItsFirstVersion) {
  expect_op({.op = "GroupNormalization",
             .inputs = {floats({1, 4}, {1, 3, -5, 5}), floats({2}, {1, 2}), floats({2}, {0, 1})},
             .outputs = {floats({1, 4}, {-1, 1, -1, 3})},
             .attributes = {{"num_groups", int64_t{2}}, {"epsilon", 0.0F}},
             .opset = 18});
}

TEST(GroupNormalization, RefusesWhatDoesNotFit) {
  const Tensor x = floats({1, 4}, {1, 3, -5, 5});
  const Tensor ones = floats({4}, {1, 1, 1, 1});
  expect_op_error({.op = "GroupNormalization",
                   .inputs = {x, ones, ones},
                   .outputs = {x},
                   .attributes = {{"num_groups", int64_t{3}}}},
                  ErrorCode::invalid_model, "4 channels cannot be divided into 3 groups");
  expect_op_error({.op = "GroupNormalization",
                   .inputs = {x, ones, ones},
                   .outputs = {x},
                   .attributes = {{"num_groups", int64_t{0}}}},
                  ErrorCode::invalid_model, "num_groups");
  expect_op_error({.op = "GroupNormalization", .inputs = {x, ones, ones}, .outputs = {x}}, ErrorCode::invalid_model,
                  "num_groups");
}

}  // namespace
}  // namespace onnxrun
