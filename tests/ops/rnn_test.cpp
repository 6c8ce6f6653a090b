#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

// One input, one hidden element: H = f(2 x - H / 2 + 1), over x = 1, -1.
OpCase one_element(const std::function<double(double)>& f, DType dtype, double tolerance) {
  const double first = f(2 + 0.25 + 1);
  const double second = f(-2 - first / 2 + 1);
  return {
      .op = "RNN",
      .inputs = {numbers(dtype, {2, 1, 1}, {1, -1}), numbers(dtype, {1, 1, 1}, {2}), numbers(dtype, {1, 1, 1}, {-0.5}),
                 numbers(dtype, {1, 2}, {0.25, 0.75}), Value(), numbers(dtype, {1, 1, 1}, {-0.5})},
      .outputs = {numbers(dtype, {2, 1, 1, 1}, {first, second}), numbers(dtype, {1, 1, 1}, {second})},
      .opset = 22,
      .relative = tolerance,
      .absolute = tolerance};
}

TEST(Rnn, StepsInEveryType) {
  const auto f = [](double x) { return std::tanh(x); };
  expect_op(one_element(f, DType::float32, 1e-6));
  expect_op(one_element(f, DType::float64, 1e-13));
  expect_op(one_element(f, DType::float16, 2e-3));
  expect_op(one_element(f, DType::bfloat16, 2e-2));
  for (const int64_t opset : {1, 7, 14}) {
    OpCase test = one_element(f, DType::float32, 1e-6);
    test.opset = opset;
    expect_op(test);
  }
}

TEST(Rnn, KnowsEveryActivation) {
  struct Case {
    const char* name;
    std::vector<float> alpha, beta;
    std::function<double(double)> f;
  };
  const Case cases[] = {
      {"Relu", {}, {}, [](double x) { return std::max(x, 0.0); }},
      {"Tanh", {}, {}, [](double x) { return std::tanh(x); }},
      {"Sigmoid", {}, {}, [](double x) { return 1 / (1 + std::exp(-x)); }},
      {"Affine", {0.5F}, {0.25F}, [](double x) { return 0.5 * x + 0.25; }},
      {"Affine", {}, {}, [](double) { return 0; }},
      {"LeakyRelu", {}, {}, [](double x) { return x >= 0 ? x : 0.01F * x; }},
      {"LeakyRelu", {0.5F}, {}, [](double x) { return x >= 0 ? x : 0.5 * x; }},
      {"ThresholdedRelu", {}, {}, [](double x) { return x >= 1 ? x : 0; }},
      {"ThresholdedRelu", {3.25F}, {}, [](double x) { return x >= 3.25 ? x : 0; }},
      {"ScaledTanh", {2}, {0.5F}, [](double x) { return 2 * std::tanh(0.5 * x); }},
      {"HardSigmoid", {}, {}, [](double x) { return std::clamp(0.2F * x + 0.5, 0.0, 1.0); }},
      {"HardSigmoid", {0.25F}, {0.25F}, [](double x) { return std::clamp(0.25 * x + 0.25, 0.0, 1.0); }},
      {"Elu", {}, {}, [](double x) { return x >= 0 ? x : std::expm1(x); }},
      {"Elu", {2}, {}, [](double x) { return x >= 0 ? x : 2 * std::expm1(x); }},
      {"Softsign", {}, {}, [](double x) { return x / (1 + std::fabs(x)); }},
      {"Softplus", {}, {}, [](double x) { return std::log1p(std::exp(x)); }},
  };
  for (const Case& c : cases) {
    for (const DType dtype : {DType::float32, DType::float64}) {
      OpCase test = one_element(c.f, dtype, dtype == DType::float32 ? 1e-6 : 1e-12);
      test.attributes = {{"activations", std::vector<std::string>{c.name}}};
      if (!c.alpha.empty()) test.attributes.emplace_back("activation_alpha", c.alpha);
      if (!c.beta.empty()) test.attributes.emplace_back("activation_beta", c.beta);
      expect_op(test);
    }
  }
}

TEST(Rnn, GoesBothWaysOverUnequalLengths) {
  // H = x + H, forwards and backwards, over 1 2 3 and 10 20 (30 is padding).
  expect_op(
      {.op = "RNN",
       .inputs = {floats({3, 2, 1}, {1, 10, 2, 20, 3, 30}), floats({2, 1, 1}, {1, 1}), floats({2, 1, 1}, {1, 1}),
                  Value(), numbers(DType::int32, {2}, {3, 2})},
       .outputs = {floats({3, 2, 2, 1}, {1, 10, 6, 30, 3, 30, 5, 20, 6, 0, 3, 0}), floats({2, 2, 1}, {6, 30, 6, 30})},
       .attributes = {{"direction", std::string("bidirectional")},
                      {"activations", std::vector<std::string>{"Affine", "Affine"}},
                      {"activation_alpha", std::vector<float>{1, 1}}}});
}

}  // namespace
}  // namespace onnxrun
