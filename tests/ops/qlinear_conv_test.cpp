#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

Tensor byte(double value) { return numbers(DType::uint8, {}, {value}); }

void expect_conv(const std::vector<Value>& inputs, const Tensor& expected,
                 const ModelBuilder::Attributes& attributes = {}) {
  expect_op({.op = "QLinearConv", .inputs = inputs, .outputs = {expected}, .attributes = attributes, .opset = 10});
}

TEST(QLinearConv, ScalesRoundsAndShifts) {
  // Products with 2: 2, 6, -2 and 254, times 1/4: 0.5, 1.5, -0.5, 63.5.
  const Tensor x = numbers(DType::uint8, {1, 1, 4}, {11, 13, 9, 137});
  const auto inputs = [&](const Tensor& y_zero, const Value& bias) {
    return std::vector<Value>{x,
                              floats({}, {0.5}),
                              byte(10),
                              numbers(DType::int8, {1, 1, 1}, {5}),
                              floats({}, {1}),
                              numbers(DType::int8, {}, {3}),
                              floats({}, {2}),
                              y_zero,
                              bias};
  };
  expect_conv(inputs(byte(1), Value()), numbers(DType::uint8, {1, 1, 4}, {1, 3, 1, 65}));
  expect_conv(inputs(numbers(DType::int8, {}, {100}), numbers(DType::int32, {1}, {-6})),
              numbers(DType::int8, {1, 1, 4}, {99, 100, 98, 127}));
}

TEST(QLinearConv, HasAScaleForEachChannel) {
  constexpr size_t kIn = 3, kOut = 37, kSize = 11, kResult = 9;
  std::vector<double> x(2 * kIn * kSize * kSize), w(kOut * kIn * 9), bias(kOut), zero(kOut), expected;
  std::vector<float> scale(kOut);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i * 11 % 256);
  for (size_t i = 0; i < w.size(); ++i) w[i] = static_cast<double>(i * 77 % 256) - 128;
  for (size_t o = 0; o < kOut; ++o) {
    bias[o] = static_cast<double>(o) * 1000 - 9000;
    zero[o] = static_cast<double>(o % 5) - 2;
    scale[o] = 0.001F * static_cast<float>(o + 1);
  }
  for (size_t i = 0; i < 2 * kOut * kResult * kResult; ++i) {
    const size_t column = i % kResult;
    const size_t row = i / kResult % kResult;
    const size_t o = i / kResult / kResult % kOut;
    const size_t n = i / kResult / kResult / kOut;
    double sum = bias[o];
    for (size_t c = 0; c < kIn; ++c) {
      for (size_t t = 0; t < 9; ++t) {
        const size_t at = ((n * kIn + c) * kSize + row + t / 3) * kSize + column + t % 3;
        sum += (x[at] - 120) * (w[(o * kIn + c) * 9 + t] - zero[o]);
      }
    }
    const float scaled = static_cast<float>(sum) * (0.25F * scale[o] / 0.5F);
    expected.push_back(std::clamp(std::nearbyint(scaled) + 128, 0.0F, 255.0F));
  }
  expect_conv({numbers(DType::uint8, {2, kIn, kSize, kSize}, x), floats({1}, {0.25}), byte(120),
               numbers(DType::int8, {kOut, kIn, 3, 3}, w), floats({kOut}, scale), numbers(DType::int8, {kOut}, zero),
               floats({}, {0.5}), byte(128), numbers(DType::int32, {kOut}, bias)},
              numbers(DType::uint8, {2, kOut, kResult, kResult}, expected));
}

TEST(QLinearConv, RefusesWhatDoesNotFit) {
  const Tensor x = numbers(DType::uint8, {1, 2, 1}, {1, 2});
  const Tensor w = numbers(DType::uint8, {1, 2, 1}, {1, 2});
  const auto refuse = [&](const Tensor& w_scale, const Tensor& y_scale, const Value& bias, const std::string& text) {
    expect_op_error({.op = "QLinearConv",
                     .inputs = {x, floats({}, {1}), byte(0), w, w_scale, byte(0), y_scale, byte(0), bias},
                     .outputs = {x},
                     .opset = 10},
                    ErrorCode::invalid_model, text);
  };
  refuse(floats({2}, {1, 1}), floats({}, {1}), Value(), "input 4");
  refuse(floats({}, {1}), floats({2}, {1, 1}), Value(), "input 6");
  refuse(floats({}, {1}), floats({}, {1}), numbers(DType::int32, {2}, {1, 1}), "bias");
}

}  // namespace
}  // namespace onnxrun
