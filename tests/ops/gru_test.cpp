#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/op_tester.h"
#include "support/sample.h"

namespace onnxrun {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

std::vector<double> scaled(size_t count, uint32_t seed, double factor) {
  auto values = sample(count, seed);
  for (double& value : values) value *= factor;
  return values;
}

// The equations of the specification, one direction at a time.
struct Reference {
  size_t steps = 1, batch = 1, inputs = 1, hidden = 1, directions = 1;
  bool linear_before_reset = false;
  std::vector<size_t> lengths = {};
  std::vector<double> x = {}, w = {}, r = {}, b = {}, h0 = {}, y = {}, y_h = {};

  Reference& compute() {
    x = scaled(steps * batch * inputs, 1, 0.5);
    w = scaled(directions * 3 * hidden * inputs, 2, 0.25);
    r = scaled(directions * 3 * hidden * hidden, 3, 0.25);
    b = scaled(directions * 6 * hidden, 4, 0.25);
    h0 = scaled(directions * batch * hidden, 5, 0.5);
    if (lengths.empty()) lengths.assign(batch, steps);
    y.assign(steps * directions * batch * hidden, 0);
    y_h = h0;
    for (size_t i = 0; i < y_h.size(); ++i) {
      if (lengths[i / hidden % batch] == 0) y_h[i] = 0;
    }
    for (size_t d = 0; d < directions; ++d) {
      for (size_t n = 0; n < batch; ++n) {
        for (size_t t = 0; t < lengths[n]; ++t) step(d, n, d == 1 ? lengths[n] - 1 - t : t);
      }
    }
    return *this;
  }

  // The product of a gate's input weights, or recurrent ones, with its bias.
  double input(size_t d, size_t n, size_t t, size_t gate) const {
    double sum = b[d * 6 * hidden + gate];
    for (size_t i = 0; i < inputs; ++i) {
      sum += x[(t * batch + n) * inputs + i] * w[(d * 3 * hidden + gate) * inputs + i];
    }
    return sum;
  }
  double recurrent(size_t d, size_t gate, const std::vector<double>& state) const {
    double sum = b[(d * 6 + 3) * hidden + gate];
    for (size_t i = 0; i < hidden; ++i) sum += state[i] * r[(d * 3 * hidden + gate) * hidden + i];
    return sum;
  }

  void step(size_t d, size_t n, size_t t) {
    const auto begin = y_h.begin() + static_cast<ptrdiff_t>((d * batch + n) * hidden);
    const std::vector<double> old(begin, begin + static_cast<ptrdiff_t>(hidden));
    std::vector<double> reset(hidden), reset_state(hidden);
    for (size_t k = 0; k < hidden; ++k) {
      reset[k] = sigmoid(input(d, n, t, hidden + k) + recurrent(d, hidden + k, old));
      reset_state[k] = reset[k] * old[k];
    }
    for (size_t k = 0; k < hidden; ++k) {
      const double update = sigmoid(input(d, n, t, k) + recurrent(d, k, old));
      const double from_state = linear_before_reset ? reset[k] * recurrent(d, 2 * hidden + k, old)
                                                    : recurrent(d, 2 * hidden + k, reset_state);
      const double candidate = std::tanh(input(d, n, t, 2 * hidden + k) + from_state);
      const double state = (1 - update) * candidate + update * old[k];
      y_h[(d * batch + n) * hidden + k] = state;
      y[((t * directions + d) * batch + n) * hidden + k] = state;
    }
  }

  OpCase test(DType dtype, double tolerance) const {
    const auto n = [](size_t count) { return static_cast<int64_t>(count); };
    const std::vector<double> counts(lengths.begin(), lengths.end());
    return {.op = "GRU",
            .inputs = {numbers(dtype, {n(steps), n(batch), n(inputs)}, x),
                       numbers(dtype, {n(directions), n(3 * hidden), n(inputs)}, w),
                       numbers(dtype, {n(directions), n(3 * hidden), n(hidden)}, r),
                       numbers(dtype, {n(directions), n(6 * hidden)}, b), numbers(DType::int32, {n(batch)}, counts),
                       numbers(dtype, {n(directions), n(batch), n(hidden)}, h0)},
            .outputs = {numbers(dtype, {n(steps), n(directions), n(batch), n(hidden)}, y),
                        numbers(dtype, {n(directions), n(batch), n(hidden)}, y_h)},
            .attributes = {{"hidden_size", n(hidden)},
                           {"linear_before_reset", int64_t{linear_before_reset}},
                           {"direction", std::string(directions == 2 ? "bidirectional" : "forward")}},
            .opset = 22,
            .relative = tolerance,
            .absolute = tolerance};
  }
};

TEST(Gru, StepsThroughSequencesInEveryType) {
  const std::pair<DType, double> types[] = {
      {DType::float32, 1e-5}, {DType::float64, 1e-12}, {DType::float16, 5e-3}, {DType::bfloat16, 4e-2}};
  for (const bool linear : {false, true}) {
    Reference r{.steps = 5, .batch = 3, .inputs = 4, .hidden = 7, .directions = 2, .linear_before_reset = linear};
    r.lengths = {5, 2, 0};
    r.compute();
    for (const auto& [dtype, tolerance] : types) expect_op(r.test(dtype, tolerance));
  }
}

TEST(Gru, HasManyEntries) {
  for (const bool linear : {false, true}) {
    Reference r{.steps = 2, .batch = 40, .inputs = 9, .hidden = 50, .linear_before_reset = linear};
    expect_op(r.compute().test(DType::float32, 2e-5));
  }
}

TEST(Gru, HasOlderVersions) {
  Reference r{.steps = 3, .batch = 2, .inputs = 3, .hidden = 2};
  OpCase test = r.compute().test(DType::float32, 1e-5);
  test.opset = 3;
  expect_op(test);
  test.opset = 7;
  expect_op(test);
  test.opset = 1;
  test.attributes = {{"output_sequence", int64_t{1}}};
  expect_op(test);
}

TEST(Gru, WorksByHand) {
  // z = sigmoid(0) = 1/2, h = relu(2 x) with x = 3, H = (6 + 1) / 2.
  expect_op({.op = "GRU",
             .inputs = {floats({1, 1, 1}, {3}), floats({1, 3, 1}, {0, 0, 2}), floats({1, 3, 1}, {0, 0, 0}), Value(),
                        Value(), floats({1, 1, 1}, {1})},
             .outputs = {Value(), floats({1, 1, 1}, {3.5F})},
             .attributes = {{"activations", std::vector<std::string>{"Sigmoid", "Relu"}}},
             .relative = 1e-6});
}

}  // namespace
}  // namespace onnxrun
