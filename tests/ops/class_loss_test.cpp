#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/op_tester.h"
#include "support/sample.h"

namespace onnxrun {
namespace {

// The specification's examples: N, C, d1 = 2, 3, 2.
const std::vector<double> kInput = {1, 2, 2, 2, 3, 2, 0, 1, 2, 2, 1, 2};

OpCase nll(DType dtype, const Tensor& expected, const std::string& reduction, bool is_weighted, double tolerance) {
  OpCase test = {.op = "NegativeLogLikelihoodLoss",
                 .inputs = {numbers(dtype, {2, 3, 2}, kInput), integers({2, 2}, {2, 1, 0, 2})},
                 .outputs = {expected},
                 .attributes = {{"reduction", reduction}},
                 .opset = 22,
                 .relative = tolerance};
  if (is_weighted) test.inputs.emplace_back(numbers(dtype, {3}, {0.2, 0.3, 0.1}));
  return test;
}

TEST(NegativeLogLikelihoodLoss, GivesTheExamplesOfTheSpecification) {
  const std::pair<DType, double> types[] = {
      {DType::float32, 1e-6}, {DType::float64, 1e-12}, {DType::float16, 2e-3}, {DType::bfloat16, 1e-2}};
  for (const auto& [dtype, tolerance] : types) {
    expect_op(nll(dtype, numbers(dtype, {2, 2}, {-3, -2, 0, -2}), "none", false, tolerance));
    expect_op(nll(dtype, numbers(dtype, {}, {-1.1}), "sum", true, tolerance));
    expect_op(nll(dtype, numbers(dtype, {}, {-1.1 / 0.7}), "mean", true, tolerance));
    expect_op(nll(dtype, numbers(dtype, {}, {-7.0 / 4}), "mean", false, tolerance));
  }
  OpCase older = nll(DType::float32, floats({2, 2}, {-3, -2, 0, -2}), "none", false, 0);
  older.inputs[1] = numbers(DType::int32, {2, 2}, {2, 1, 0, 2});
  for (const int64_t opset : {12, 13}) {
    older.opset = opset;
    expect_op(older);
  }
}

TEST(NegativeLogLikelihoodLoss, LeavesOutWhatIsIgnored) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  OpCase test = nll(DType::float32, floats({}, {-1.5F}), "mean", false, 0);
  test.inputs[1] = integers({2, 2}, {2, -1, 0, -1});
  test.attributes.emplace_back("ignore_index", int64_t{-1});
  expect_op(test);
  test.inputs[1] = integers({2, 2}, {-1, -1, -1, -1});
  test.outputs = {floats({}, {nan})};
  expect_op(test);
  test.attributes[0].second = std::string("sum");
  test.outputs = {floats({}, {0})};
  expect_op(test);
}

TEST(NegativeLogLikelihoodLoss, TakesMatricesAndEmptyTensors) {
  expect_op({.op = "NegativeLogLikelihoodLoss",
             .inputs = {floats({2, 2}, {-1, -2, -3, -4}), integers({2}, {1, 0})},
             .outputs = {floats({}, {2.5F})}});
  expect_op({.op = "NegativeLogLikelihoodLoss",
             .inputs = {floats({0, 2}, {}), integers({0}, {})},
             .outputs = {floats({0}, {})},
             .attributes = {{"reduction", std::string("none")}}});
}

TEST(NegativeLogLikelihoodLoss, RefusesWhatDoesNotFit) {
  const OpCase good = nll(DType::float32, floats({2, 2}, {-3, -2, 0, -2}), "none", true, 0);
  OpCase test = good;
  test.inputs[1] = integers({2, 2}, {2, 3, 0, 2});
  expect_op_error(test, ErrorCode::run_failed, "target 3 is none of 3 classes");
  test.inputs[1] = integers({2, 3}, {0, 0, 0, 0, 0, 0});
  expect_op_error(test, ErrorCode::invalid_model, "input 1 must have shape [2,2]");
  test = good;
  test.inputs[2] = floats({2}, {1, 1});
  expect_op_error(test, ErrorCode::invalid_model, "input 2 must have shape [3]");
  test = good;
  test.attributes = {{"reduction", std::string("max")}};
  expect_op_error(test, ErrorCode::invalid_model, "'reduction'");
}

TEST(SoftmaxCrossEntropyLoss, TakesLogarithmsOfProbabilities) {
  // [3, 5, 2, 100] with labels along the others.
  constexpr size_t kEntries = 3, kClasses = 5, kInner = 200;
  const auto scores = sample(kEntries * kClasses * kInner, 1);
  const std::vector<double> weights = {1, 0.5, 2, 0.25, 3};
  std::vector<double> log_prob(scores.size());
  std::vector<double> loss;
  std::vector<int64_t> labels;
  double total = 0;
  double total_weight = 0;
  for (size_t n = 0; n < kEntries; ++n) {
    for (size_t i = 0; i < kInner; ++i) {
      double sum = 0;
      for (size_t c = 0; c < kClasses; ++c) sum += std::exp(scores[(n * kClasses + c) * kInner + i]);
      for (size_t c = 0; c < kClasses; ++c) {
        const size_t at = (n * kClasses + c) * kInner + i;
        log_prob[at] = scores[at] - std::log(sum);
      }
      const size_t label = (n * 7 + i * 3) % kClasses;
      labels.push_back(static_cast<int64_t>(label));
      loss.push_back(label == 3 ? 0 : -log_prob[(n * kClasses + label) * kInner + i] * weights[label]);
      total += loss.back();
      total_weight += label == 3 ? 0 : weights[label];
    }
  }
  const std::pair<DType, double> types[] = {
      {DType::float32, 2e-5}, {DType::float64, 1e-12}, {DType::float16, 1e-2}, {DType::bfloat16, 5e-2}};
  for (const auto& [dtype, tolerance] : types) {
    const OpCase test = {
        .op = "SoftmaxCrossEntropyLoss",
        .inputs = {numbers(dtype, {3, 5, 2, 100}, scores), integers({3, 2, 100}, labels), numbers(dtype, {5}, weights)},
        .outputs = {numbers(dtype, {3, 2, 100}, loss), numbers(dtype, {3, 5, 2, 100}, log_prob)},
        .attributes = {{"reduction", std::string("none")}, {"ignore_index", int64_t{3}}},
        .opset = 13,
        .relative = tolerance,
        .absolute = tolerance};
    expect_op(test);
    OpCase mean = test;
    mean.outputs = {numbers(dtype, {}, {total / total_weight})};
    mean.attributes[0].second = std::string("mean");
    expect_op(mean);
  }
}

TEST(SoftmaxCrossEntropyLoss, DoesNotOverflow) {
  expect_op({.op = "SoftmaxCrossEntropyLoss",
             .inputs = {floats({1, 2}, {1e30F, 0}), integers({1}, {0})},
             .outputs = {floats({}, {0}), floats({1, 2}, {0, -1e30F})},
             .opset = 12});
}

}  // namespace
}  // namespace onnxrun
