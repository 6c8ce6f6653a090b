#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "support/op_tester.h"
#include "support/sample.h"

namespace onnxrun {
namespace {

using Function = std::function<double(double)>;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double hyperbolic(double x) { return std::tanh(x); }

// The equations of the specification, one direction at a time.
struct Reference {
  size_t steps = 1, batch = 1, inputs = 1, hidden = 1, directions = 1;
  bool starts_reversed = false, couples = false, has_bias = true, has_state = true, has_peepholes = true;
  double clip = 1e9;
  std::vector<size_t> lengths = {};
  Function f = sigmoid, g = hyperbolic, h = hyperbolic;
  std::vector<double> x = {}, w = {}, r = {}, b = {}, h0 = {}, c0 = {}, p = {};  // ONNX's layouts
  std::vector<double> y = {}, y_h = {}, y_c = {};

  Reference& fill() {
    const auto scaled = [](size_t count, uint32_t seed, double factor) {
      auto values = sample(count, seed);
      for (double& value : values) value *= factor;
      return values;
    };
    x = scaled(steps * batch * inputs, 1, 0.5);
    w = scaled(directions * 4 * hidden * inputs, 2, 0.25);
    r = scaled(directions * 4 * hidden * hidden, 3, 0.25);
    b = scaled(directions * 8 * hidden, 4, has_bias ? 0.25 : 0);
    h0 = scaled(directions * batch * hidden, 5, has_state ? 0.5 : 0);
    c0 = scaled(directions * batch * hidden, 6, has_state ? 0.5 : 0);
    p = scaled(directions * 3 * hidden, 7, has_peepholes ? 0.5 : 0);
    if (lengths.empty()) lengths.assign(batch, steps);
    return *this;
  }

  Reference& compute() {
    y.assign(steps * directions * batch * hidden, 0);
    y_h = h0;
    y_c = c0;
    for (size_t i = 0; i < y_h.size(); ++i) {
      if (lengths[i / hidden % batch] == 0) y_h[i] = y_c[i] = 0;
    }
    for (size_t d = 0; d < directions; ++d) {
      for (size_t n = 0; n < batch; ++n) {
        for (size_t t = 0; t < lengths[n]; ++t) {
          step(d, n, (d == 1 || starts_reversed) ? lengths[n] - 1 - t : t);
        }
      }
    }
    return *this;
  }

  void step(size_t d, size_t n, size_t t) {
    double* state = &y_h[(d * batch + n) * hidden];
    double* cell = &y_c[(d * batch + n) * hidden];
    std::vector<double> gates(4 * hidden);
    for (size_t k = 0; k < 4 * hidden; ++k) {
      gates[k] = b[d * 8 * hidden + k] + b[(d * 8 + 4) * hidden + k];
      for (size_t i = 0; i < inputs; ++i) {
        gates[k] += x[(t * batch + n) * inputs + i] * w[(d * 4 * hidden + k) * inputs + i];
      }
      for (size_t i = 0; i < hidden; ++i) gates[k] += state[i] * r[(d * 4 * hidden + k) * hidden + i];
    }
    const auto bound = [&](double value) { return std::clamp(value, -clip, clip); };
    const double* peephole = &p[d * 3 * hidden];
    for (size_t k = 0; k < hidden; ++k) {
      const double in = f(bound(gates[k] + peephole[k] * cell[k]));
      const double forget = couples ? 1 - in : f(bound(gates[2 * hidden + k] + peephole[2 * hidden + k] * cell[k]));
      cell[k] = forget * cell[k] + in * g(bound(gates[3 * hidden + k]));
      const double out = f(bound(gates[hidden + k] + peephole[hidden + k] * cell[k]));
      state[k] = out * h(cell[k]);
      y[((t * directions + d) * batch + n) * hidden + k] = state[k];
    }
  }

  OpCase test(DType dtype, double tolerance) const {
    const auto n = [](size_t count) { return static_cast<int64_t>(count); };
    const Shape state = {n(directions), n(batch), n(hidden)};
    const auto optional = [](bool is_given, const Tensor& tensor) { return is_given ? Value(tensor) : Value(); };
    std::vector<double> counts(lengths.begin(), lengths.end());
    return {.op = "LSTM",
            .inputs = {numbers(dtype, {n(steps), n(batch), n(inputs)}, x),
                       numbers(dtype, {n(directions), n(4 * hidden), n(inputs)}, w),
                       numbers(dtype, {n(directions), n(4 * hidden), n(hidden)}, r),
                       optional(has_bias, numbers(dtype, {n(directions), n(8 * hidden)}, b)),
                       numbers(DType::int32, {n(batch)}, counts), optional(has_state, numbers(dtype, state, h0)),
                       optional(has_state, numbers(dtype, state, c0)),
                       optional(has_peepholes, numbers(dtype, {n(directions), n(3 * hidden)}, p))},
            .outputs = {numbers(dtype, {n(steps), n(directions), n(batch), n(hidden)}, y), numbers(dtype, state, y_h),
                        numbers(dtype, state, y_c)},
            .attributes = {{"hidden_size", n(hidden)},
                           {"direction", directions == 2   ? std::string("bidirectional")
                                         : starts_reversed ? std::string("reverse")
                                                           : std::string("forward")}},
            .opset = 22,
            .relative = tolerance,
            .absolute = tolerance};
  }
};

TEST(Lstm, StepsThroughSequencesInEveryType) {
  const std::pair<DType, double> types[] = {
      {DType::float32, 1e-5}, {DType::float64, 1e-12}, {DType::float16, 5e-3}, {DType::bfloat16, 4e-2}};
  for (const auto& [dtype, tolerance] : types) {
    Reference r{.steps = 5, .batch = 3, .inputs = 4, .hidden = 7, .directions = 2};
    r.lengths = {5, 2, 0};
    expect_op(r.fill().compute().test(dtype, tolerance));
  }
}

TEST(Lstm, GoesBackwards) {
  Reference r{.steps = 4, .batch = 2, .inputs = 3, .hidden = 5, .starts_reversed = true};
  r.lengths = {4, 3};
  expect_op(r.fill().compute().test(DType::float32, 1e-5));
}

TEST(Lstm, HasManyEntriesAndNothingOptional) {
  Reference r{.steps = 3,
              .batch = 70,
              .inputs = 20,
              .hidden = 33,
              .has_bias = false,
              .has_state = false,
              .has_peepholes = false};
  OpCase test = r.fill().compute().test(DType::float32, 2e-5);
  test.inputs.resize(3);
  expect_op(test);
  // One output alone.
  test.outputs = {Value(), test.outputs[1]};
  expect_op(test);
  test.opset = 7;
  expect_op(test);
}

TEST(Lstm, CouplesGatesAndClips) {
  Reference r{.steps = 3, .batch = 2, .inputs = 3, .hidden = 4, .couples = true};
  r.clip = 0.125F;
  OpCase test = r.fill().compute().test(DType::float32, 1e-5);
  test.attributes.emplace_back("input_forget", int64_t{1});
  test.attributes.emplace_back("clip", 0.125F);
  expect_op(test);
}

TEST(Lstm, TakesOtherActivations) {
  Reference r{.steps = 2, .batch = 2, .inputs = 3, .hidden = 4};
  r.f = [](double x) { return std::clamp(0.25 * x + 0.5, 0.0, 1.0); };
  r.g = [](double x) { return x >= 0 ? x : 0.125 * x; };
  r.h = [](double x) { return 2 * std::tanh(0.5 * x); };
  // HardSigmoid, LeakyRelu and ScaledTanh take an alpha each, HardSigmoid and ScaledTanh a beta.
  OpCase test = r.fill().compute().test(DType::float32, 1e-5);
  test.attributes.emplace_back("activation_alpha", std::vector<float>{0.25F, 0.125F, 2});
  test.attributes.emplace_back("activation_beta", std::vector<float>{0.5F, 0.5F});
  test.attributes.emplace_back("activations", std::vector<std::string>{"HardSigmoid", "LeakyRelu", "ScaledTanh"});
  expect_op(test);
}

TEST(Lstm, PutsTheBatchFirst) {
  Reference r{.steps = 3, .batch = 2, .inputs = 4, .hidden = 5, .directions = 2};
  r.lengths = {3, 2};
  OpCase test = r.fill().compute().test(DType::float32, 1e-5);
  const auto moved = [](const std::vector<double>& x, size_t outer, size_t middle, size_t inner) {
    std::vector<double> result(x.size());
    for (size_t i = 0; i < x.size(); ++i) {
      const size_t a = i / inner / middle, b = i / inner % middle;
      result[(b * outer + a) * inner + i % inner] = x[i];
    }
    return result;
  };
  const DType f = DType::float32;
  test.inputs[0] = numbers(f, {2, 3, 4}, moved(r.x, 3, 2, 4));
  test.inputs[5] = numbers(f, {2, 2, 5}, moved(r.h0, 2, 2, 5));
  test.inputs[6] = numbers(f, {2, 2, 5}, moved(r.c0, 2, 2, 5));
  // [steps, directions, batch, hidden] to [batch, steps, directions, hidden].
  test.outputs = {numbers(f, {2, 3, 2, 5}, moved(r.y, 6, 2, 5)), numbers(f, {2, 2, 5}, moved(r.y_h, 2, 2, 5)),
                  numbers(f, {2, 2, 5}, moved(r.y_c, 2, 2, 5))};
  test.attributes.emplace_back("layout", int64_t{1});
  expect_op(test);
}

TEST(Lstm, TakesEmptySequences) {
  Reference r{.steps = 0, .batch = 2, .inputs = 4, .hidden = 3};
  expect_op(r.fill().compute().test(DType::float32, 0));
}

TEST(Lstm, RefusesWhatDoesNotFit) {
  Reference r{.steps = 2, .batch = 2, .inputs = 4, .hidden = 3};
  const OpCase good = r.fill().compute().test(DType::float32, 0);
  OpCase test = good;
  test.inputs[2] = random_floats({1, 12, 4}, 1);
  expect_op_error(test, ErrorCode::invalid_model, "'hidden_size' is 3");
  test = good;
  test.inputs[3] = random_floats({1, 12}, 1);
  expect_op_error(test, ErrorCode::invalid_model, "must have shape [1,24]");
  test = good;
  test.inputs[4] = numbers(DType::int32, {2}, {1, 3});
  expect_op_error(test, ErrorCode::run_failed, "3 outside [0, 2]");
  test = good;
  test.attributes = {{"direction", std::string("sideways")}};
  expect_op_error(test, ErrorCode::invalid_model, "'direction'");
  test.attributes = {{"activations", std::vector<std::string>{"Sigmoid", "Tanh"}}};
  expect_op_error(test, ErrorCode::invalid_model, "has 2 names, 3 are needed");
  test.attributes = {{"activations", std::vector<std::string>{"Sigmoid", "Tanh", "Sine"}}};
  expect_op_error(test, ErrorCode::invalid_model, "'Sine' is no activation function");
  test.attributes = {{"clip", -1.0F}};
  expect_op_error(test, ErrorCode::invalid_model, "'clip'");
}

}  // namespace
}  // namespace onnxrun
