#include <gtest/gtest.h>

#include <cmath>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

using Floats = std::vector<float>;
using Integers = std::vector<int64_t>;
using Strings = std::vector<std::string>;

const std::string kDomain = "ai.onnx.ml";

double logistic(double x) { return 1 / (1 + std::exp(-x)); }

// Rows [3, 2] whose scores under kWeights are: 0.08 0.03, 1 0.15, -0.38 -0.1; plus kIntercepts.
const std::vector<double> kRows = {0.3, -0.2, 1.5, 2, -1, 0.1};
const Floats kWeights = {0.4F, 0.2F, 0.1F, 0};
const Floats kIntercepts = {0.5F, -1};

OpCase regressor(const Tensor& x, const Tensor& y, const std::string& transform) {
  return {.op = "LinearRegressor",
          .inputs = {x},
          .outputs = {y},
          .attributes = {{"coefficients", kWeights},
                         {"intercepts", kIntercepts},
                         {"targets", int64_t{2}},
                         {"post_transform", transform}},
          .opset = 1,
          .relative = 1e-5,
          .absolute = 1e-6,
          .domain = kDomain};
}

const std::vector<double> kScores = {0.58, -0.97, 1.5, -0.85, 0.12, -1.1};

TEST(LinearRegressor, ScoresAndTransforms) {
  for (const DType dtype : {DType::float32, DType::float64}) {
    expect_op(regressor(numbers(dtype, {3, 2}, kRows), numbers(DType::float32, {3, 2}, kScores), "NONE"));
  }
  for (const DType dtype : {DType::int32, DType::int64}) {
    expect_op(regressor(numbers(dtype, {2}, {5, -5}), numbers(DType::float32, {1, 2}, {1.5, -0.5}), "NONE"));
  }
  std::vector<double> logistics;
  std::vector<double> softmaxes;
  for (size_t i = 0; i < 6; ++i) {
    logistics.push_back(logistic(kScores[i]));
    softmaxes.push_back(logistic(kScores[i] - kScores[i ^ 1]));
  }
  const Tensor x = numbers(DType::float32, {3, 2}, kRows);
  expect_op(regressor(x, numbers(DType::float32, {3, 2}, logistics), "LOGISTIC"));
  expect_op(regressor(x, numbers(DType::float32, {3, 2}, softmaxes), "SOFTMAX"));
  expect_op(regressor(x, numbers(DType::float32, {3, 2}, softmaxes), "SOFTMAX_ZERO"));
  expect_op(regressor(floats({0, 2}, {}), floats({0, 2}, {}), "NONE"));
}

TEST(LinearRegressor, TransformsASingleTarget) {
  OpCase test = {.op = "LinearRegressor",
                 .inputs = {floats({3, 1}, {0.5F, 0.1F, 0.975F})},
                 .outputs = {numbers(DType::float32, {3, 1}, {logistic(0.5), logistic(0.1), logistic(0.975)})},
                 .attributes = {{"coefficients", Floats{1}}, {"post_transform", std::string("LOGISTIC")}},
                 .opset = 1,
                 .relative = 1e-5,
                 .domain = kDomain};
  expect_op(test);
  test.attributes[1] = {"post_transform", std::string("SOFTMAX")};
  test.outputs = {floats({3, 1}, {1, 1, 1})};
  expect_op(test);
  // Quantiles of the normal distribution; the approximation is good to some thousandths.
  test.attributes[1] = {"post_transform", std::string("PROBIT")};
  test.outputs = {floats({3, 1}, {0, -1.2815516F, 1.9599640F})};
  test.absolute = 6e-3;
  expect_op(test);
}

TEST(LinearRegressor, KeepsZerosOfSoftmaxZero) {
  const double e = std::exp(1.0);
  const double sum = 1 + std::exp(-1.0) + 0;
  expect_op({.op = "LinearRegressor",
             .inputs = {floats({1, 1}, {1})},
             .outputs = {numbers(DType::float32, {1, 3}, {1 / sum, 0, 1 / e / sum})},
             .attributes = {{"coefficients", Floats{1, 0, 0}},
                            {"intercepts", Floats{1, 0, 1}},
                            {"targets", int64_t{3}},
                            {"post_transform", std::string("SOFTMAX_ZERO")}},
             .opset = 1,
             .relative = 1e-6,
             .domain = kDomain});
}

TEST(LinearClassifier, ChoosesTheLargestScore) {
  const auto classify = [](const Value& x, const Value& labels, const Value& scores,
                           const ModelBuilder::Attributes& more) {
    OpCase test = {.op = "LinearClassifier",
                   .inputs = {x},
                   .outputs = {labels, scores},
                   .attributes = {{"coefficients", kWeights}, {"intercepts", kIntercepts}},
                   .opset = 1,
                   .relative = 1e-5,
                   .absolute = 1e-6,
                   .domain = kDomain};
    test.attributes.insert(test.attributes.end(), more.begin(), more.end());
    return test;
  };
  const Tensor x = numbers(DType::float32, {3, 2}, kRows);
  expect_op(classify(x, strings({3}, {"p", "p", "p"}), numbers(DType::float32, {3, 2}, kScores),
                     {{"classlabels_strings", Strings{"p", "q"}}, {"multi_class", int64_t{1}}}));
  expect_op(classify(numbers(DType::int64, {2}, {-5, 0}), integers({1}, {8}), floats({1, 2}, {-1.5F, -1.5F}),
                     {{"classlabels_ints", Integers{8, 9}}}));
  expect_op(classify(numbers(DType::float64, {1, 2}, {-20, 0}), integers({1}, {9}), floats({1, 2}, {-7.5F, -3}),
                     {{"classlabels_ints", Integers{8, 9}}}));
}

TEST(LinearClassifier, SplitsASingleScore) {
  const auto binary = [](const std::string& transform, const std::vector<double>& scores) {
    return OpCase{.op = "LinearClassifier",
                  .inputs = {floats({2, 1}, {0.25F, -0.5F})},
                  .outputs = {integers({2}, {1, 0}), numbers(DType::float32, {2, 2}, scores)},
                  .attributes = {{"coefficients", Floats{1}},
                                 {"intercepts", Floats{0}},
                                 {"classlabels_ints", Integers{0, 1}},
                                 {"post_transform", transform}},
                  .opset = 1,
                  .relative = 1e-5,
                  .domain = kDomain};
  };
  expect_op(binary("NONE", {0.75, 0.25, 1.5, -0.5}));
  expect_op(binary("SOFTMAX", {0.75, 0.25, 1.5, -0.5}));
  expect_op(binary("LOGISTIC", {logistic(-0.25), logistic(0.25), logistic(0.5), logistic(-0.5)}));
}

TEST(LinearModels, RefuseWhatDoesNotFit) {
  OpCase test = regressor(floats({1, 3}, {1, 2, 3}), floats({1, 2}, {0, 0}), "NONE");
  expect_op_error(test, ErrorCode::invalid_model, "3 features, the coefficients 2");
  test.attributes[2] = {"targets", int64_t{3}};
  expect_op_error(test, ErrorCode::invalid_model, "2 intercepts for 3 targets");
  expect_op_error({.op = "LinearClassifier",
                   .inputs = {floats({1, 1}, {1})},
                   .outputs = {integers({1}, {0}), floats({1, 1}, {0})},
                   .attributes = {{"coefficients", Floats{1}}},
                   .opset = 1,
                   .domain = kDomain},
                  ErrorCode::invalid_model, "'classlabels_ints' and 'classlabels_strings' must be given");
}

}  // namespace
}  // namespace onnxrun
