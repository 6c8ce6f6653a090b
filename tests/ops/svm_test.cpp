#include "ops/support/svm.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

using Floats = std::vector<float>;
using Integers = std::vector<int64_t>;

const std::string kDomain = "ai.onnx.ml";
const std::vector<double> kRows = {0.3, -0.2, 1.5, 2, -1, 0.1};
// Three vectors of two features; gamma, coef0, degree.
const Floats kVectors = {1, 2, 0.5F, -1, 0.3F, 0.3F};
const Floats kParameters = {0.5F, 0.1F, 3};

double kernel(const std::string& type, const double* x, const float* v) {
  const double dot = x[0] * v[0] + x[1] * v[1];
  const double distance = (x[0] - v[0]) * (x[0] - v[0]) + (x[1] - v[1]) * (x[1] - v[1]);
  if (type == "POLY") return std::pow(0.5 * dot + 0.1, 3);
  if (type == "RBF") return std::exp(-0.5 * distance);
  if (type == "SIGMOID") return std::tanh(0.5 * dot + 0.1);
  return dot;
}

OpCase svm(const std::string& op, const Tensor& x, std::vector<Value> outputs, ModelBuilder::Attributes attributes) {
  return {.op = op,
          .inputs = {x},
          .outputs = std::move(outputs),
          .attributes = std::move(attributes),
          .opset = 1,
          .relative = 2e-5,
          .absolute = 1e-6,
          .domain = kDomain};
}

TEST(SVMRegressor, SumsKernels) {
  for (const std::string type : {"LINEAR", "POLY", "RBF", "SIGMOID"}) {
    const double coefficients[] = {0.4, 0.2, -0.9};
    std::vector<double> scores;
    std::vector<double> signs;
    for (size_t row = 0; row < 3; ++row) {
      double score = 0.1;
      for (size_t i = 0; i < 3; ++i) score += coefficients[i] * kernel(type, &kRows[row * 2], &kVectors[i * 2]);
      scores.push_back(score);
      signs.push_back(score > 0 ? 1 : -1);
    }
    const ModelBuilder::Attributes attributes = {
        {"kernel_type", type},         {"kernel_params", kParameters}, {"coefficients", Floats{0.4F, 0.2F, -0.9F}},
        {"support_vectors", kVectors}, {"n_supports", int64_t{3}},     {"rho", Floats{0.1F}}};
    for (const DType dtype : {DType::float32, DType::float64}) {
      expect_op(
          svm("SVMRegressor", numbers(dtype, {3, 2}, kRows), {numbers(DType::float32, {3, 1}, scores)}, attributes));
    }
    ModelBuilder::Attributes one_class = attributes;
    one_class.emplace_back("one_class", int64_t{1});
    expect_op(svm("SVMRegressor", numbers(DType::float32, {3, 2}, kRows), {numbers(DType::float32, {3, 1}, signs)},
                  one_class));
  }
}

TEST(SVMRegressor, IsLinearWithoutVectors) {
  for (const DType dtype : {DType::int32, DType::int64}) {
    expect_op(svm("SVMRegressor", numbers(dtype, {2}, {3, -2}), {floats({1, 1}, {0.9F})},
                  {{"coefficients", Floats{0.4F, 0.2F}}, {"rho", Floats{0.1F}}, {"kernel_type", std::string("POLY")}}));
  }
}

// The scores below were computed by another implementation of the operator.
TEST(SVMClassifier, LetsPairsOfClassesVote) {
  ModelBuilder::Attributes attributes = {{"coefficients", Floats{0.4F, 0.2F, -0.3F, 0.1F, 0.2F, -0.5F}},
                                         {"support_vectors", kVectors},
                                         {"vectors_per_class", Integers{1, 1, 1}},
                                         {"rho", Floats{0.1F, 0.2F, -0.3F}},
                                         {"kernel_params", kParameters},
                                         {"kernel_type", std::string("RBF")},
                                         {"classlabels_ints", Integers{3, 4, 5}}};
  const Tensor x = numbers(DType::float32, {3, 2}, kRows);
  const Tensor labels = integers({3}, {5, 3, 3});
  expect_op(svm("SVMClassifier", x,
                {labels, floats({3, 3}, {0.270193785F, -0.0577891432F, -0.598894417F, 0.454346359F, 0.253824711F,
                                         -0.356027395F, 0.144360557F, 0.0759104341F, -0.475068927F})},
                attributes));
  attributes.emplace_back("prob_a", Floats{-1, -1.2F, -0.8F});
  attributes.emplace_back("prob_b", Floats{0.2F, 0.3F, 0.1F});
  expect_op(svm("SVMClassifier", x,
                {labels, floats({3, 3}, {0.296267748F, 0.259527475F, 0.444204748F, 0.359737635F, 0.267776221F,
                                         0.372486025F, 0.30325678F, 0.284208894F, 0.412534386F})},
                attributes));
}

TEST(SVMClassifier, GivesTwoClassesOppositeScores) {
  const ModelBuilder::Attributes attributes = {{"coefficients", Floats{0.4F, 0.2F, -0.3F}},
                                               {"support_vectors", kVectors},
                                               {"vectors_per_class", Integers{2, 1}},
                                               {"rho", Floats{0.1F}},
                                               {"classlabels_strings", std::vector<std::string>{"u", "v"}}};
  const Tensor x = numbers(DType::float64, {3, 2}, kRows);
  const Tensor labels = strings({3}, {"u", "u", "v"});
  const std::vector<double> s = {0.121, 1.735, -0.259};
  const auto logistic = [](double v) { return 1 / (1 + std::exp(-v)); };
  const auto with = [&](const std::string& transform) {
    ModelBuilder::Attributes more = attributes;
    more.emplace_back("post_transform", transform);
    return more;
  };
  expect_op(svm("SVMClassifier", x, {labels, numbers(DType::float32, {3, 2}, {-s[0], s[0], -s[1], s[1], -s[2], s[2]})},
                attributes));
  expect_op(svm("SVMClassifier", x,
                {labels, numbers(DType::float32, {3, 2},
                                 {logistic(-s[0]), logistic(s[0]), logistic(-s[1]), logistic(s[1]), logistic(-s[2]),
                                  logistic(s[2])})},
                with("LOGISTIC")));
  expect_op(svm("SVMClassifier", x,
                {labels, numbers(DType::float32, {3, 2}, {1 - s[0], s[0], 1 - s[1], s[1], 1 - s[2], s[2]})},
                with("SOFTMAX")));
  ModelBuilder::Attributes probable = attributes;
  probable.emplace_back("prob_a", Floats{-1});
  probable.emplace_back("prob_b", Floats{0.2F});
  std::vector<double> p;
  for (const double score : s) {
    p.push_back(logistic(score - 0.2));
    p.push_back(1 - p.back());
  }
  OpCase test = svm("SVMClassifier", x, {labels, numbers(DType::float32, {3, 2}, p)}, probable);
  test.absolute = 2e-3;  // the coupling stops at an error of 0.0025
  expect_op(test);
}

TEST(SVMClassifier, IsLinearWithoutVectors) {
  const Tensor x = numbers(DType::float32, {3, 2}, kRows);
  expect_op(
      svm("SVMClassifier", x,
          {integers({3}, {3, 9, 4}), floats({3, 3}, {0.26F, 0.07F, 0.13F, 0.3F, 0.85F, 2.05F, -0.32F, 0.03F, -0.34F})},
          {{"coefficients", Floats{0.4F, -0.2F, 0.1F, 0.3F, 0.5F, 0.6F}},
           {"rho", Floats{0.1F}},
           {"classlabels_ints", Integers{3, 4, 9}}}));
  // Two classes without negative weights: the second from 0.5 on.
  expect_op(svm(
      "SVMClassifier", x, {integers({3}, {3, 4, 4}), floats({3, 2}, {0.18F, 0.07F, 1.1F, 0.85F, -0.28F, 0.03F})},
      {{"coefficients", Floats{0.4F, 0.2F, 0.1F, 0.3F}}, {"rho", Floats{0.1F}}, {"classlabels_ints", Integers{3, 4}}}));
}

TEST(CouplePairwise, RecoversConsistentProbabilities) {
  const std::vector<double> p = {0.5, 0.3, 0.2};
  std::vector<double> pairwise(9);
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < 3; ++j) pairwise[i * 3 + j] = p[i] / (p[i] + p[j]);
  }
  const std::vector<double> result = ops::couple_pairwise(pairwise, 3);
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(result[i], p[i], 5e-3);
}

TEST(SVMClassifier, RefusesWhatDoesNotFit) {
  const ModelBuilder::Attributes attributes = {{"coefficients", Floats{0.4F, 0.2F, -0.3F}},
                                               {"support_vectors", kVectors},
                                               {"vectors_per_class", Integers{2, 1}},
                                               {"rho", Floats{0.1F}},
                                               {"classlabels_ints", Integers{1, 2}}};
  const std::vector<Value> outputs = {integers({1}, {1}), floats({1, 2}, {0, 0})};
  expect_op_error(svm("SVMClassifier", floats({1, 3}, {1, 2, 3}), outputs, attributes), ErrorCode::invalid_model,
                  "3 features, the model 2");
  ModelBuilder::Attributes wrong = attributes;
  wrong[2] = {"vectors_per_class", Integers{2, 5}};
  expect_op_error(svm("SVMClassifier", floats({1, 2}, {1, 2}), outputs, wrong), ErrorCode::invalid_model,
                  "'vectors_per_class' has 5");
  wrong = attributes;
  wrong[3] = {"rho", Floats{}};
  expect_op_error(svm("SVMClassifier", floats({1, 2}, {1, 2}), outputs, wrong), ErrorCode::invalid_model, "'rho'");
}

}  // namespace
}  // namespace onnxrun
