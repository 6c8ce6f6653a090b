#include <gtest/gtest.h>

#include <limits>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Tensor bits(DType dtype, const Shape& shape, const std::vector<uint8_t>& values) {
  return Tensor::of<uint8_t>(dtype, shape, values);
}

void expect_numbers(const std::vector<Value>& inputs, const Tensor& expected,
                    const ModelBuilder::Attributes& attributes = {}, int64_t opset = 25) {
  expect_op(
      {.op = "DequantizeLinear", .inputs = inputs, .outputs = {expected}, .attributes = attributes, .opset = opset});
}

TEST(DequantizeLinear, ShiftsThenScales) {
  for (const int64_t opset : {10, 13, 19, 21, 23, 24, 25}) {
    expect_numbers({numbers(DType::uint8, {4}, {0, 3, 128, 255}), floats({}, {2}), numbers(DType::uint8, {}, {128})},
                   floats({4}, {-256, -250, 0, 254}), {}, opset);
    expect_numbers({numbers(DType::int8, {3}, {-128, 0, 127}), floats({}, {0.5})}, floats({3}, {-64, 0, 63.5}), {},
                   opset);
    expect_numbers({numbers(DType::int32, {2}, {-100000, 7}), floats({}, {2})}, floats({2}, {-200000, 14}), {}, opset);
  }
  expect_numbers({numbers(DType::uint16, {2}, {0, 65535}), floats({}, {2}), numbers(DType::uint16, {}, {32767})},
                 floats({2}, {-65534, 65536}), {}, 21);
  expect_numbers({numbers(DType::int16, {2}, {-300, 1025}), floats({}, {2}), numbers(DType::int16, {}, {-1024})},
                 floats({2}, {1448, 4098}), {}, 21);
}

TEST(DequantizeLinear, HasScalesOfAxesAndBlocks) {
  expect_numbers({numbers(DType::uint8, {1, 3, 2}, {3, 89, 34, 200, 74, 59}), floats({3}, {2, 4, 5}),
                  numbers(DType::uint8, {3}, {84, 24, 196})},
                 floats({1, 3, 2}, {-162, 10, 40, 704, -610, -685}), {}, 13);
  expect_numbers({numbers(DType::int8, {2, 3}, {2, 4, 4, 1, 0, 6}), floats({2, 2}, {1, 2, 2, 3}),
                  numbers(DType::int8, {2, 2}, {0, 1, 2, 3})},
                 floats({2, 3}, {2, 4, 6, -2, -4, 9}), {{"axis", int64_t{-1}}, {"block_size", int64_t{2}}}, 21);
  expect_numbers({bits(DType::int4, {3, 3}, {0x21, 0xf3, 0x8e, 0x10, 0x02}), floats({2, 3}, {1, 2, 3, 4, 5, 6}),
                  bits(DType::int4, {2, 3}, {0x10, 0x00, 0xf0})},
                 floats({3, 3}, {1, 2, 9, -1, -6, -24, 0, 5, 18}), {{"axis", int64_t{0}}, {"block_size", int64_t{2}}},
                 21);
}

TEST(DequantizeLinear, TakesEveryNarrowType) {
  const Tensor two = floats({}, {2});
  expect_numbers({bits(DType::uint4, {3}, {0xf1, 0x07}), two}, floats({3}, {2, 30, 14}), {}, 21);
  expect_numbers({bits(DType::int2, {5}, {0xe4, 0x02}), two, bits(DType::int2, {}, {1})},
                 floats({5}, {-2, 0, -6, -4, -6}));
  expect_numbers({bits(DType::uint2, {4}, {0xe4}), two}, floats({4}, {0, 2, 4, 6}));
  expect_numbers({bits(DType::float4e2m1, {4}, {0x71, 0xf2}), two}, floats({4}, {1, 12, 2, -12}), {}, 23);
  expect_numbers({bits(DType::float8e4m3fn, {3}, {0x38, 0xfe, 0x7f}), two},
                 numbers(DType::float32, {3}, {2, -896, kNan}), {}, 19);
  expect_numbers({bits(DType::float8e5m2, {2}, {0x3c, 0xfc}), two, bits(DType::float8e5m2, {}, {0})},
                 numbers(DType::float32, {2}, {2, -kInf}), {}, 19);
}

TEST(DequantizeLinear, RoundsToTheTypeOfTheScaleOrTheOutput) {
  const Tensor x = numbers(DType::uint8, {2}, {1, 255});
  // 255 * 1.0009765625 = 255.249: float16 has steps of 1/8 there.
  expect_numbers({x, numbers(DType::float16, {}, {1.0009765625})}, numbers(DType::float16, {2}, {1.0009765625, 255.25}),
                 {}, 19);
  expect_numbers({x, numbers(DType::bfloat16, {}, {1.5})}, numbers(DType::bfloat16, {2}, {1.5, 382}), {}, 21);
  expect_numbers({x, floats({}, {1000})}, numbers(DType::float16, {2}, {1000, kInf}),
                 {{"output_dtype", static_cast<int64_t>(DType::float16)}}, 23);
  expect_numbers({x, numbers(DType::float16, {}, {2})}, floats({2}, {2, 510}),
                 {{"output_dtype", static_cast<int64_t>(DType::float32)}}, 23);
  expect_numbers({x, bits(DType::float8e8m0, {}, {126})}, floats({2}, {0.5, 127.5}), {}, 24);
  expect_numbers({bits(DType::uint4, {3}, {0x21, 0x0f}), numbers(DType::float16, {}, {0.5})},
                 numbers(DType::float16, {3}, {0.5, 1, 7.5}), {}, 21);
}

TEST(DequantizeLinear, AgreesWithTheFormulaOnLongRows) {
  constexpr int64_t kColumns = 1037;
  std::vector<double> x, zero;
  std::vector<float> scale, expected;
  for (int64_t j = 0; j < kColumns; ++j) {
    scale.push_back(0.25F * static_cast<float>(1 + j % 13));
    zero.push_back(static_cast<double>(j % 256));
  }
  for (int64_t i = 0; i < 21 * kColumns; ++i) {
    x.push_back(static_cast<double>(i * 7 % 256));
    const auto j = static_cast<size_t>(i % kColumns);
    expected.push_back(static_cast<float>(x.back() - zero[j]) * scale[j]);
  }
  expect_numbers(
      {numbers(DType::uint8, {21, kColumns}, x), floats({kColumns}, scale), numbers(DType::uint8, {kColumns}, zero)},
      floats({21, kColumns}, expected));
}

TEST(DequantizeLinear, TakesNothingAndScalars) {
  expect_numbers({numbers(DType::int8, {0}, {}), floats({}, {1})}, floats({0}, {}));
  expect_numbers({numbers(DType::int8, {}, {-3}), floats({}, {2})}, floats({}, {-6}));
}

TEST(DequantizeLinear, RefusesWhatDoesNotFit) {
  const auto refuse = [](const std::vector<Value>& inputs, const ModelBuilder::Attributes& attributes,
                         const std::string& text) {
    expect_op_error({.op = "DequantizeLinear",
                     .inputs = inputs,
                     .outputs = {floats({1}, {0})},
                     .attributes = attributes,
                     .opset = 25},
                    ErrorCode::invalid_model, text);
  };
  const Tensor x = numbers(DType::int8, {2, 3}, {1, 2, 3, 4, 5, 6});
  refuse({x, floats({4}, {1, 1, 1, 1})}, {}, "scale of shape [4]");
  refuse({x, floats({}, {1}), numbers(DType::uint8, {}, {1})}, {}, "uint8");
  refuse({x, floats({}, {1})}, {{"output_dtype", static_cast<int64_t>(DType::float64)}}, "float64");
}

}  // namespace
}  // namespace onnxrun
