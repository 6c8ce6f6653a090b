#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

Tensor bits(DType dtype, const Shape& shape, const std::vector<uint8_t>& values) {
  return Tensor::of<uint8_t>(dtype, shape, values);
}

void expect_product(const std::vector<Value>& inputs, const Tensor& expected, int64_t opset = 21) {
  expect_op({.op = "QLinearMatMul", .inputs = inputs, .outputs = {expected}, .opset = opset});
}

TEST(QLinearMatMul, ScalesRoundsAndShifts) {
  const Tensor a = numbers(DType::uint8, {3, 1}, {10, 9, 0});
  const Tensor b = numbers(DType::int8, {1, 1}, {5});
  expect_product({a, floats({}, {0.5}), numbers(DType::uint8, {}, {7}), b, floats({}, {1}),
                  numbers(DType::int8, {}, {4}), floats({}, {1}), numbers(DType::int8, {}, {1})},
                 numbers(DType::int8, {3, 1}, {3, 2, -3}), 10);  // 1.5 -> 2, 1, -3.5 -> -4
  const Tensor wide = numbers(DType::int8, {1, 2}, {100, -100});
  for (const DType scale : {DType::float32, DType::float16, DType::bfloat16}) {
    const Tensor one = numbers(scale, {}, {1});
    expect_product({wide, one, numbers(DType::int8, {}, {0}), numbers(DType::int8, {2, 2}, {100, 0, 0, 100}), one,
                    numbers(DType::int8, {}, {0}), one, numbers(DType::uint8, {}, {100})},
                   numbers(DType::uint8, {1, 2}, {255, 0}));
  }
}

TEST(QLinearMatMul, HasScalesOfRowsAndColumns) {
  // [[1, 2], [3, 4]] x [[1, 2], [3, 4]] = [[7, 10], [15, 22]]
  const Tensor a = numbers(DType::uint8, {2, 2}, {1, 2, 3, 4});
  const Tensor zeros = numbers(DType::uint8, {2}, {0, 0});
  expect_product(
      {a, floats({2}, {1, 2}), zeros, a, floats({2}, {1, 0.5}), zeros, floats({}, {2}), numbers(DType::uint8, {}, {0})},
      numbers(DType::uint8, {2, 2}, {4, 2, 15, 11}));
  // The same in a batch, by rank-3 scales.
  expect_product({numbers(DType::uint8, {2, 1, 2}, {1, 2, 3, 4}), floats({2, 1, 1}, {1, 2}),
                  numbers(DType::uint8, {2, 1, 1}, {0, 0}), numbers(DType::uint8, {1, 2, 2}, {1, 2, 3, 4}),
                  floats({1, 1, 2}, {1, 0.5}), numbers(DType::uint8, {1, 1, 2}, {0, 0}), floats({1}, {2}),
                  numbers(DType::uint8, {1}, {0})},
                 numbers(DType::uint8, {2, 1, 2}, {4, 2, 15, 11}));
}

TEST(QLinearMatMul, AgreesWithTheFormulaOnLargeMatrices) {
  constexpr size_t m = 33, k = 70, n = 300;
  std::vector<double> a, b, expected;
  std::vector<float> scale;
  for (size_t i = 0; i < m * k; ++i) a.push_back(static_cast<double>(i * 29 % 256));
  for (size_t i = 0; i < k * n; ++i) b.push_back(static_cast<double>(i * 53 % 256) - 128);
  for (size_t j = 0; j < n; ++j) scale.push_back(0.001F * static_cast<float>(1 + j % 5));
  for (size_t i = 0; i < m; ++i) {
    for (size_t j = 0; j < n; ++j) {
      int32_t sum = 0;
      for (size_t p = 0; p < k; ++p) sum += static_cast<int32_t>((a[i * k + p] - 128) * (b[p * n + j] + 3));
      const float scaled = static_cast<float>(sum) * (0.5F * scale[j] / 0.75F);
      expected.push_back(std::clamp(std::nearbyint(scaled) + 100, 0.0F, 255.0F));
    }
  }
  expect_product(
      {numbers(DType::uint8, {m, k}, a), floats({}, {0.5}), numbers(DType::uint8, {}, {128}),
       numbers(DType::int8, {k, n}, b), floats({n}, scale), numbers(DType::int8, {n}, std::vector<double>(n, -3)),
       floats({}, {0.75}), numbers(DType::uint8, {}, {100})},
      numbers(DType::uint8, {m, n}, expected));
}

TEST(QLinearMatMul, MultipliesFloat8) {
  // e4m3fn: 0x38 = 1, 0x40 = 2, 0x44 = 3, 0xc0 = -2, 0x7e = 448; e5m2: 0x3c = 1, 0x40 = 2, 0x42 = 3, 0x7b = 57344.
  const Tensor one = floats({}, {1});
  const auto zero = [](DType dtype) { return bits(dtype, {}, {0}); };
  expect_product(
      {bits(DType::float8e4m3fn, {2, 2}, {0x38, 0x40, 0xc0, 0x7e}), one, zero(DType::float8e4m3fn),
       bits(DType::float8e5m2, {2, 1}, {0x3c, 0x40}), one, zero(DType::float8e5m2), one, zero(DType::float8e4m3fn)},
      bits(DType::float8e4m3fn, {2, 1}, {0x4a, 0x7e}));
  expect_product({bits(DType::float8e4m3fn, {1, 2}, {0x44, 0x40}), one, bits(DType::float8e4m3fn, {}, {0x38}),
                  numbers(DType::int8, {2, 1}, {5, -3}), floats({}, {0.5}), numbers(DType::int8, {}, {0}), one,
                  numbers(DType::uint8, {}, {1})},
                 numbers(DType::uint8, {1, 1}, {5}));  // (2 * 5 + 1 * -3) / 2 = 3.5
}

TEST(QLinearMatMul, TakesNothing) {
  const Tensor zero = numbers(DType::uint8, {}, {0});
  const Tensor one = floats({}, {1});
  expect_product({numbers(DType::uint8, {2, 0}, {}), one, zero, numbers(DType::uint8, {0, 1}, {}), one, zero, one,
                  numbers(DType::uint8, {}, {9})},
                 numbers(DType::uint8, {2, 1}, {9, 9}));
}

TEST(QLinearMatMul, RefusesScalesThatDoNotFit) {
  const Tensor a = numbers(DType::uint8, {2, 2}, {1, 2, 3, 4});
  const Tensor zero = numbers(DType::uint8, {}, {0});
  const auto refuse = [&](const Tensor& a_scale, const Tensor& y_scale, const std::string& text) {
    expect_op_error(
        {.op = "QLinearMatMul", .inputs = {a, a_scale, zero, a, floats({}, {1}), zero, y_scale, zero}, .outputs = {a}},
        ErrorCode::invalid_model, text);
  };
  refuse(floats({3}, {1, 1, 1}), floats({}, {1}), "do not fit");
  refuse(floats({}, {1}), floats({2}, {1, 1}), "one element");
}

}  // namespace
}  // namespace onnxrun
