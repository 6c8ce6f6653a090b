#include <gtest/gtest.h>

#include <cmath>

#include "support/op_tester.h"
#include "support/sample.h"

namespace onnxrun {
namespace {

constexpr size_t kHeads = 4, kGroups = 2, kQueries = 3, kKeys = 5, kSize = 4;

// Attention with scores scaled by `score_factor` and probabilities by `prob_factor`.
std::vector<double> attend(const std::vector<double>& q, const std::vector<double>& k, const std::vector<double>& v,
                           double scale, double score_factor, double prob_factor) {
  std::vector<double> y;
  for (size_t row = 0; row < kHeads * kQueries; ++row) {
    const size_t head = row / kQueries / (kHeads / kGroups);
    double exponentials[kKeys];
    double sum = 0;
    for (size_t j = 0; j < kKeys; ++j) {
      double dot = 0;
      for (size_t e = 0; e < kSize; ++e) dot += q[row * kSize + e] * k[(head * kKeys + j) * kSize + e];
      sum += exponentials[j] = std::exp(dot * scale * score_factor);
    }
    for (size_t e = 0; e < kSize; ++e) {
      double total = 0;
      for (size_t j = 0; j < kKeys; ++j) total += exponentials[j] / sum * v[(head * kKeys + j) * kSize + e];
      y.push_back(total * prob_factor);
    }
  }
  return y;
}

ModelBuilder::Body times(DType dtype, double factor) {
  ModelBuilder::Body body;
  body.input("x", dtype, {"b", "h", "l", "s"});
  body.constant("factor", numbers(dtype, {}, {factor}));
  body.node("Mul", {"x", "factor"}, {"y"}).output("y");
  return body;
}

struct Sample {
  std::vector<double> q = sample(kHeads * kQueries * kSize, 1);
  std::vector<double> k = sample(kGroups * kKeys * kSize, 2);
  std::vector<double> v = sample(kGroups * kKeys * kSize, 3);

  OpCase test(DType dtype, const std::vector<double>& y, double tolerance) const {
    const Shape kv = {1, kGroups, kKeys, kSize};
    const Shape shape = {1, kHeads, kQueries, kSize};
    return {.op = "FlexAttention",
            .inputs = {numbers(dtype, shape, q), numbers(dtype, kv, k), numbers(dtype, kv, v)},
            .outputs = {numbers(dtype, shape, y)},
            .opset = 1,
            .relative = tolerance,
            .absolute = tolerance,
            .domain = "ai.onnx.preview"};
  }
};

TEST(FlexAttention, AttendsWithoutModifiers) {
  const Sample s;
  const std::pair<DType, double> types[] = {
      {DType::float32, 1e-5}, {DType::float64, 1e-12}, {DType::float16, 5e-3}, {DType::bfloat16, 4e-2}};
  for (const auto& [dtype, tolerance] : types) {
    expect_op(s.test(dtype, attend(s.q, s.k, s.v, 0.5, 1, 1), tolerance));
  }
  OpCase scaled = s.test(DType::float32, attend(s.q, s.k, s.v, 0.75, 1, 1), 1e-5);
  scaled.attributes = {{"scale", 0.75F}};
  expect_op(scaled);
}

TEST(FlexAttention, ModifiesScoresAndProbabilities) {
  const Sample s;
  // The modifiers see float32 for float16, and the type of softmax_precision where it is given.
  const std::tuple<DType, DType, double> types[] = {{DType::float32, DType::float32, 1e-5},
                                                    {DType::float64, DType::float64, 1e-12},
                                                    {DType::float16, DType::float32, 5e-3},
                                                    {DType::float32, DType::float64, 1e-6},
                                                    {DType::float32, DType::float16, 1e-2}};
  for (const auto& [dtype, precision, tolerance] : types) {
    const ModelBuilder::Body score = times(precision, 0.5);
    const ModelBuilder::Body prob = times(precision, 2);
    OpCase test = s.test(dtype, attend(s.q, s.k, s.v, 0.5, 0.5, 2), tolerance);
    test.attributes = {{"score_mod", &score}, {"prob_mod", &prob}};
    if (precision != DType::float32 && precision != dtype) {
      test.attributes.emplace_back("softmax_precision", static_cast<int64_t>(precision));
    }
    expect_op(test);
    test = s.test(dtype, attend(s.q, s.k, s.v, 0.5, 0.5, 1), tolerance);
    test.attributes = {{"score_mod", &score}, {"softmax_precision", static_cast<int64_t>(precision)}};
    expect_op(test);
  }
}

TEST(FlexAttention, RefusesWhatDoesNotFit) {
  const Sample s;
  OpCase test = s.test(DType::float32, s.q, 1);
  test.inputs[0] = random_floats({3, 4, 4}, 1);
  expect_op_error(test, ErrorCode::invalid_model, "rank 4");
  ModelBuilder::Body body;
  body.input("x", DType::float32, {"b", "h", "l", "s"});
  body.node("Cast", {"x"}, {"y"}, {{"to", std::string("DOUBLE")}}).output("y");
  test = s.test(DType::float32, s.q, 1);
  test.attributes = {{"prob_mod", &body}};
  expect_op_error(test, ErrorCode::invalid_model, "a modifier graph must keep the type");
}

}  // namespace
}  // namespace onnxrun
