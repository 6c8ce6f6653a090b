#include <gtest/gtest.h>

#include <cmath>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

const std::string kDomain = "ai.onnx.preview.training";

struct Step {
  double rate = 0.1;
  int64_t count = 3;
  std::vector<double> x = {1, -2, 0.5, 4};
  std::vector<double> g = {0.5, 1, -2, 0};
  std::vector<double> a = {0.1, 0.2, -0.3, 0.4};
  std::vector<double> b = {0.25, 0.5, 1, 2};
};

// The step on all variables at once, and cut into variables of one and three elements.
void expect_step(const std::string& op, const Step& step, size_t states,
                 const std::vector<std::vector<double>>& results, const ModelBuilder::Attributes& attributes) {
  for (const DType dtype : {DType::float32, DType::float64}) {
    const auto part = [&](const std::vector<double>& all, size_t begin, size_t end) {
      return numbers(dtype, {static_cast<int64_t>(end - begin), 1},
                     {all.begin() + static_cast<ptrdiff_t>(begin), all.begin() + static_cast<ptrdiff_t>(end)});
    };
    OpCase test = {.op = op,
                   .inputs = {numbers(DType::float64, {}, {step.rate}), integers({}, {step.count})},
                   .outputs = {},
                   .attributes = attributes,
                   .opset = 1,
                   .relative = dtype == DType::float32 ? 1e-5 : 1e-7,
                   .domain = kDomain};
    OpCase apart = test;
    const std::vector<double>* groups[] = {&step.x, &step.g, &step.a, &step.b};
    for (size_t group = 0; group < states + 2; ++group) {
      test.inputs.emplace_back(part(*groups[group], 0, 4));
      apart.inputs.emplace_back(part(*groups[group], 0, 1));
      apart.inputs.emplace_back(part(*groups[group], 1, 4));
    }
    for (const auto& result : results) {
      test.outputs.emplace_back(part(result, 0, 4));
      apart.outputs.emplace_back(part(result, 0, 1));
      apart.outputs.emplace_back(part(result, 1, 4));
    }
    expect_op(test);
    expect_op(apart);
  }
}

TEST(Adagrad, FollowsTheFormula) {
  Step step;
  step.a = step.b;
  std::vector<double> x;
  std::vector<double> h;
  for (size_t i = 0; i < 4; ++i) {
    const double g = step.g[i] + 0.25 * step.x[i];
    h.push_back(step.a[i] + g * g);
    x.push_back(step.x[i] - 0.1 / (1 + 3 * 0.5) * g / (std::sqrt(h[i]) + 0.125));
  }
  expect_step("Adagrad", step, 1, {x, h}, {{"norm_coefficient", 0.25F}, {"decay_factor", 0.5F}, {"epsilon", 0.125F}});
}

TEST(Adam, FollowsTheFormula) {
  for (const int64_t count : {0, 3}) {
    Step step;
    step.count = count;
    std::vector<double> x;
    std::vector<double> v;
    std::vector<double> h;
    const double rate = count > 0 ? 0.1 * std::sqrt(1 - std::pow(0.875, 3)) / (1 - std::pow(0.75, 3)) : 0.1;
    for (size_t i = 0; i < 4; ++i) {
      const double g = step.g[i] + 0.25 * step.x[i];
      v.push_back(0.75 * step.a[i] + 0.25 * g);
      h.push_back(0.875 * step.b[i] + 0.125 * g * g);
      x.push_back((1 - 0.5) * (step.x[i] - rate * v[i] / (std::sqrt(h[i]) + 0.125)));
    }
    expect_step("Adam", step, 2, {x, v, h},
                {{"alpha", 0.75F},
                 {"beta", 0.875F},
                 {"epsilon", 0.125F},
                 {"norm_coefficient", 0.25F},
                 {"norm_coefficient_post", 0.5F}});
  }
}

TEST(Momentum, FollowsBothFormulas) {
  for (const int64_t count : {0, 3}) {
    for (const bool nesterov : {false, true}) {
      Step step;
      step.count = count;
      std::vector<double> x;
      std::vector<double> v;
      for (size_t i = 0; i < 4; ++i) {
        const double g = step.g[i] + 0.25 * step.x[i];
        v.push_back(0.75 * step.a[i] + (count > 0 ? 0.5 : 1) * g);
        x.push_back(step.x[i] - 0.1 * (nesterov ? g + 0.75 * v[i] : v[i]));
      }
      expect_step("Momentum", step, 1, {x, v},
                  {{"alpha", 0.75F},
                   {"beta", 0.5F},
                   {"norm_coefficient", 0.25F},
                   {"mode", std::string(nesterov ? "nesterov" : "standard")}});
    }
  }
}

TEST(Optimizers, RefuseWhatDoesNotFit) {
  const Tensor rate = numbers(DType::float32, {}, {0.1});
  const Tensor count = integers({}, {1});
  const Tensor x = floats({2}, {1, 2});
  OpCase test = {.op = "Adagrad", .inputs = {rate, count, x, x}, .outputs = {x, x}, .opset = 1, .domain = kDomain};
  expect_op_error(test, ErrorCode::invalid_model, "2 tensors, which is no multiple of 3");
  test.inputs = {rate, count, x, floats({1}, {1}), x};
  expect_op_error(test, ErrorCode::invalid_model, "its variable float32[2]");
  test.inputs = {floats({2}, {1, 2}), count, x, x, x};
  expect_op_error(test, ErrorCode::invalid_model, "R and T must be scalars");
}

}  // namespace
}  // namespace onnxrun
