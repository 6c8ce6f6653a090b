#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

// Bytes of a fixed sequence.
std::vector<double> bytes(size_t count, int step, bool is_signed) {
  std::vector<double> values;
  for (size_t i = 0; i < count; ++i) {
    values.push_back(static_cast<double>(i * static_cast<size_t>(step) % 256) - (is_signed ? 128 : 0));
  }
  return values;
}

Tensor type(bool is_signed, const Shape& shape, const std::vector<double>& values) {
  return numbers(is_signed ? DType::int8 : DType::uint8, shape, values);
}

void expect_product(const std::vector<Value>& inputs, const Tensor& expected) {
  expect_op({.op = "MatMulInteger", .inputs = inputs, .outputs = {expected}, .opset = 10});
}

TEST(MatMulInteger, TakesZeroPointsOff) {
  const Tensor a = numbers(DType::uint8, {4, 3}, {11, 7, 3, 10, 6, 2, 9, 5, 1, 8, 4, 0});
  const Tensor b = numbers(DType::uint8, {3, 2}, {1, 4, 2, 5, 3, 6});
  expect_product({a, b, numbers(DType::uint8, {1}, {12}), numbers(DType::uint8, {1}, {0})},
                 numbers(DType::int32, {4, 2}, {-38, -83, -44, -98, -50, -113, -56, -128}));
  expect_product({a, b}, numbers(DType::int32, {4, 2}, {34, 97, 28, 82, 22, 67, 16, 52}));
}

TEST(MatMulInteger, HasZeroPointsOfRowsAndColumns) {
  const Tensor a = numbers(DType::int8, {2, 2}, {1, 2, 3, 4});
  const Tensor b = numbers(DType::uint8, {2, 3}, {1, 2, 3, 4, 5, 6});
  // [[0, 1], [5, 6]] x [[0, 0, 0], [3, 3, 3]]
  expect_product({a, b, numbers(DType::int8, {2}, {1, -2}), numbers(DType::uint8, {3}, {1, 2, 3})},
                 numbers(DType::int32, {2, 3}, {3, 3, 3, 18, 18, 18}));
  expect_product({numbers(DType::int8, {2, 2, 1}, {1, 2, 3, 4}), numbers(DType::int8, {1, 1, 2}, {5, 6}),
                  numbers(DType::int8, {2, 2, 1}, {1, 0, 1, 0}), numbers(DType::int8, {1, 1, 2}, {1, -1})},
                 numbers(DType::int32, {2, 2, 2}, {0, 0, 8, 14, 8, 14, 16, 28}));
  expect_product({numbers(DType::int8, {2, 1, 1}, {5, 7}), numbers(DType::int8, {2, 1, 2}, {1, 2, 3, 4}), Value(),
                  numbers(DType::int8, {2, 1, 1}, {1, 2})},
                 numbers(DType::int32, {2, 1, 2}, {0, 5, 7, 14}));
}

TEST(MatMulInteger, MultipliesVectorsBatchesAndNothing) {
  const Tensor v = numbers(DType::uint8, {3}, {255, 255, 255});
  expect_product({v, v}, numbers(DType::int32, {}, {195075}));
  expect_product({v, numbers(DType::int8, {2, 3, 1}, {-128, -128, -128, 1, 2, 3})},
                 numbers(DType::int32, {2, 1}, {-97920, 1530}));
  expect_product({numbers(DType::uint8, {2, 0}, {}), numbers(DType::int8, {0, 3}, {})},
                 numbers(DType::int32, {2, 3}, {0, 0, 0, 0, 0, 0}));
  expect_product({numbers(DType::uint8, {0, 2}, {}), numbers(DType::int8, {2, 3}, {1, 2, 3, 4, 5, 6})},
                 numbers(DType::int32, {0, 3}, {}));
}

TEST(MatMulInteger, AgreesWithTheFormulaOnLargeMatrices) {
  constexpr int64_t m = 150, k = 131, n = 107;
  for (const bool a_signed : {false, true}) {
    for (const bool b_signed : {false, true}) {
      const std::vector<double> a = bytes(2 * m * k, 37, a_signed);
      const std::vector<double> b = bytes(k * n, 91, b_signed);
      std::vector<double> expected;
      for (int64_t i = 0; i < 2 * m; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          double sum = 0;
          for (int64_t p = 0; p < k; ++p) {
            sum += (a[static_cast<size_t>(i * k + p)] - 9) * (b[static_cast<size_t>(p * n + j)] - 100);
          }
          expected.push_back(sum);
        }
      }
      expect_product(
          {type(a_signed, {2, m, k}, a), type(b_signed, {k, n}, b), type(a_signed, {}, {9}), type(b_signed, {}, {100})},
          numbers(DType::int32, {2, m, n}, expected));
    }
  }
}

TEST(MatMulInteger, RefusesZeroPointsThatDoNotFit) {
  const Tensor a = numbers(DType::uint8, {2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor b = numbers(DType::uint8, {3, 2}, {1, 2, 3, 4, 5, 6});
  const auto refuse = [&](const Value& a_zero, const Value& b_zero) {
    expect_op_error({.op = "MatMulInteger",
                     .inputs = {a, b, a_zero, b_zero},
                     .outputs = {numbers(DType::int32, {1}, {0})},
                     .opset = 10},
                    ErrorCode::invalid_model, "do not fit");
  };
  refuse(numbers(DType::uint8, {3}, {1, 1, 1}), Value());
  refuse(numbers(DType::uint8, {1, 2}, {1, 1}), Value());
  refuse(Value(), numbers(DType::uint8, {3}, {1, 1, 1}));
}

}  // namespace
}  // namespace onnxrun
