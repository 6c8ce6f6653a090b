#include <gtest/gtest.h>

#include <cmath>

#include "support/op_tester.h"
#include "support/sample.h"

namespace onnxrun {
namespace {

// The recurrences of the specification: batch 2, length 4, 4 heads of queries that share 2.
struct Reference {
  static constexpr size_t kBatch = 2, kLength = 4, kQHeads = 4, kHeads = 2, kKey = 3, kValue = 70;

  bool decays = true, corrects = true, by_key = true, by_head = true;
  double scale = 1 / std::sqrt(3.0);
  std::vector<double> q = sample(kBatch * kLength * kQHeads * kKey, 1);
  std::vector<double> k = sample(kBatch * kLength * kHeads * kKey, 2);
  std::vector<double> v = sample(kBatch * kLength * kHeads * kValue, 3);
  std::vector<double> state = sample(kBatch * kHeads * kKey * kValue, 4);
  std::vector<double> decay = sample(kBatch * kLength * kHeads * (by_key ? kKey : 1), 5);
  std::vector<double> beta = sample(kBatch * kLength * (by_head ? kHeads : 1), 6);
  std::vector<double> past = state;
  std::vector<double> y = std::vector<double>(kBatch * kLength * kQHeads * kValue);

  Reference& compute() {
    for (double& value : k) value *= 0.25;
    for (size_t token = 0; token < kBatch * kLength; ++token) {
      for (size_t h = 0; h < kHeads; ++h) step(token, h);
    }
    return *this;
  }

  void step(size_t token, size_t h) {
    double* s = &state[(token / kLength * kHeads + h) * kKey * kValue];
    const double* key = &k[(token * kHeads + h) * kKey];
    const double rate = beta[by_head ? token * kHeads + h : token];
    for (size_t m = 0; m < kValue; ++m) {
      double value = v[(token * kHeads + h) * kValue + m];
      double retrieved = 0;
      for (size_t d = 0; d < kKey; ++d) {
        if (decays) s[d * kValue + m] *= std::exp(decay[(token * kHeads + h) * (by_key ? kKey : 1) + (by_key ? d : 0)]);
        retrieved += s[d * kValue + m] * key[d];
      }
      if (corrects) value = rate * (value - retrieved);
      for (size_t d = 0; d < kKey; ++d) s[d * kValue + m] += key[d] * value;
      for (size_t head = h * 2; head < h * 2 + 2; ++head) {
        double sum = 0;
        for (size_t d = 0; d < kKey; ++d) sum += q[(token * kQHeads + head) * kKey + d] * s[d * kValue + m];
        y[(token * kQHeads + head) * kValue + m] = scale * sum;
      }
    }
  }

  OpCase test(DType dtype, DType state_type, const std::string& rule, double tolerance) const {
    const auto optional = [&](bool is_given, const Shape& shape, const std::vector<double>& values) {
      return is_given ? Value(numbers(dtype, shape, values)) : Value();
    };
    return {.op = "LinearAttention",
            .inputs = {numbers(dtype, {2, 4, 12}, q), numbers(dtype, {2, 4, 6}, k), numbers(dtype, {2, 4, 140}, v),
                       numbers(state_type, {2, 2, 3, 70}, past), optional(decays, {2, 4, by_key ? 6 : 2}, decay),
                       optional(corrects, {2, 4, by_head ? 2 : 1}, beta)},
            .outputs = {numbers(dtype, {2, 4, 280}, y), numbers(state_type, {2, 2, 3, 70}, state)},
            .attributes = {{"q_num_heads", int64_t{4}}, {"kv_num_heads", int64_t{2}}, {"update_rule", rule}},
            .opset = 27,
            .relative = tolerance,
            .absolute = tolerance};
  }
};

TEST(LinearAttention, FollowsEveryRule) {
  for (const bool by_key : {false, true}) {
    for (const bool by_head : {false, true}) {
      Reference both{.by_key = by_key, .by_head = by_head};
      expect_op(both.compute().test(DType::float32, DType::float32, "gated_delta", 1e-5));
    }
    Reference gated{.corrects = false, .by_key = by_key};
    expect_op(gated.compute().test(DType::float32, DType::float32, "gated", 2e-5));
  }
  Reference delta{.decays = false};
  expect_op(delta.compute().test(DType::float32, DType::float32, "delta", 1e-5));
  Reference linear{.decays = false, .corrects = false};
  expect_op(linear.compute().test(DType::float32, DType::float32, "linear", 1e-5));
}

TEST(LinearAttention, KeepsStatesOfOtherTypes) {
  Reference r;
  r.compute();
  expect_op(r.test(DType::float16, DType::float32, "gated_delta", 4e-2));
  expect_op(r.test(DType::float16, DType::float16, "gated_delta", 4e-2));
  expect_op(r.test(DType::bfloat16, DType::float32, "gated_delta", 3e-1));
}

TEST(LinearAttention, StartsFromNothing) {
  // Two tokens, k = (1, 0) and (0, 1): the state becomes their values.
  expect_op({.op = "LinearAttention",
             .inputs = {floats({1, 2, 2}, {1, 1, 1, 2}), floats({1, 2, 2}, {1, 0, 0, 1}), floats({1, 2, 1}, {3, 5})},
             .outputs = {floats({1, 2, 1}, {6, 26}), floats({1, 1, 2, 1}, {3, 5})},
             .attributes = {{"q_num_heads", int64_t{1}},
                            {"kv_num_heads", int64_t{1}},
                            {"update_rule", std::string("linear")},
                            {"scale", 2.0F},
                            {"chunk_size", int64_t{1}}},
             .opset = 27});
}

TEST(LinearAttention, RefusesWhatDoesNotFit) {
  Reference r;
  const OpCase good = r.compute().test(DType::float32, DType::float32, "gated_delta", 0);
  OpCase test = good;
  test.inputs[4] = Value();
  expect_op_error(test, ErrorCode::invalid_model, "decay is missing");
  test = r.test(DType::float32, DType::float32, "gated", 0);
  expect_op_error(test, ErrorCode::invalid_model, "the rule has no beta");
  test = good;
  test.inputs[5] = random_floats({2, 4, 3}, 1);
  expect_op_error(test, ErrorCode::invalid_model, "input 5 of shape [2,4,3] does not fit");
  test = good;
  test.inputs[3] = random_floats({2, 2, 3, 71}, 1);
  expect_op_error(test, ErrorCode::invalid_model, "must have shape [2,2,?,70]");
  test = good;
  test.attributes[0].second = int64_t{3};
  expect_op_error(test, ErrorCode::invalid_model, "'q_num_heads' must be a positive multiple");
}

}  // namespace
}  // namespace onnxrun
