#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Tensor bits(DType dtype, const Shape& shape, const std::vector<uint8_t>& values) {
  return Tensor::of<uint8_t>(dtype, shape, values);
}

void expect_quantized(const std::vector<Value>& inputs, const Tensor& expected,
                      const ModelBuilder::Attributes& attributes = {}, int64_t opset = 25) {
  expect_op(
      {.op = "QuantizeLinear", .inputs = inputs, .outputs = {expected}, .attributes = attributes, .opset = opset});
}

TEST(QuantizeLinear, RoundsToEvenThenShiftsAndSaturates) {
  const Tensor x = floats({6}, {0, 2, 3, 1000, -254, -1000});
  for (const int64_t opset : {10, 13, 19, 21, 23, 24, 25}) {
    expect_quantized({x, floats({}, {2}), numbers(DType::uint8, {}, {128})},
                     numbers(DType::uint8, {6}, {128, 129, 130, 255, 1, 0}), {}, opset);
    expect_quantized({x, floats({}, {2})}, numbers(DType::uint8, {6}, {0, 1, 2, 255, 0, 0}), {}, opset);
  }
  const Tensor halves = floats({6}, {0.5, 1.5, 2.5, -0.5, -1.5, -2.5});
  expect_quantized({halves, floats({}, {1}), numbers(DType::int8, {}, {0})},
                   numbers(DType::int8, {6}, {0, 2, 2, 0, -2, -2}));
  expect_quantized({halves, floats({1}, {1}), numbers(DType::int8, {1}, {1})},
                   numbers(DType::int8, {6}, {1, 3, 3, 1, -1, -1}));
}

TEST(QuantizeLinear, TakesWhatIsNoNumberAsTheLowest) {
  const Tensor x = numbers(DType::float32, {4}, {kNan, kInf, -kInf, 1e30});
  expect_quantized({x, floats({}, {1}), numbers(DType::uint8, {}, {3})}, numbers(DType::uint8, {4}, {0, 255, 0, 255}));
  expect_quantized({x, floats({}, {1}), numbers(DType::int16, {}, {-3})},
                   numbers(DType::int16, {4}, {-32768, 32767, -32768, 32767}));
  expect_quantized({x, floats({}, {1}), bits(DType::int4, {}, {1})}, bits(DType::int4, {4}, {0x78, 0x78}));
}

TEST(QuantizeLinear, HasAScaleForEachPosition) {
  const Tensor x = floats({2, 3, 2}, {-162, 10, -100, 232, -20, -50, -76, 0, 0, 252, 32, -44});
  const Tensor scale = floats({3}, {2, 4, 5});
  const Tensor zero = numbers(DType::uint8, {3}, {84, 24, 196});
  std::vector<double> values;
  const double scales[] = {2, 4, 5};
  const double zeros[] = {84, 24, 196};
  for (size_t i = 0; i < 12; ++i) {
    const size_t c = i / 2 % 3;
    const double q = std::nearbyint(static_cast<double>(x.values<float>()[i]) / scales[c]) + zeros[c];
    values.push_back(std::min(255.0, std::max(0.0, q)));
  }
  EXPECT_EQ(values[0], 3);
  EXPECT_EQ(values[2], 0);
  EXPECT_EQ(values[4], 192);
  for (const int64_t axis : {1, -2}) {
    expect_quantized({x, scale, zero}, numbers(DType::uint8, {2, 3, 2}, values), {{"axis", axis}}, 13);
  }
  expect_quantized({floats({2, 2}, {1, 2, 3, 4}), floats({2}, {1, 0.5}), numbers(DType::int8, {2}, {0, -1})},
                   numbers(DType::int8, {2, 2}, {1, 3, 3, 7}));
}

TEST(QuantizeLinear, HasAScaleForEachBlock) {
  // Blocks of 2 along the last axis, the second one short.
  expect_quantized(
      {floats({2, 3}, {2, 4, 6, -2, -4, 9}), floats({2, 2}, {1, 2, 2, 3}), numbers(DType::int8, {2, 2}, {0, 1, 2, 3})},
      numbers(DType::int8, {2, 3}, {2, 4, 4, 1, 0, 6}), {{"axis", int64_t{1}}, {"block_size", int64_t{2}}}, 21);
  // Along the first axis each column has its own.
  expect_quantized({floats({3, 2}, {2, 4, 6, 8, 10, 12}), floats({2, 2}, {1, 2, 5, 4})},
                   numbers(DType::uint8, {3, 2}, {2, 2, 6, 4, 2, 3}),
                   {{"axis", int64_t{0}}, {"block_size", int64_t{2}}}, 21);
  expect_quantized({floats({4}, {1, 2, 3, 4}), floats({1}, {1})}, numbers(DType::uint8, {4}, {1, 2, 3, 4}),
                   {{"axis", int64_t{0}}, {"block_size", int64_t{7}}}, 21);
}

TEST(QuantizeLinear, GivesEveryNarrowType) {
  const auto type = [](DType dtype) { return ModelBuilder::Attributes{{"output_dtype", static_cast<int64_t>(dtype)}}; };
  const Tensor x = floats({5}, {-9, -1.4F, 0.6F, 1, 20});
  const Tensor one = floats({}, {1});
  expect_quantized({x, one}, numbers(DType::uint16, {5}, {0, 0, 1, 1, 20}), type(DType::uint16), 21);
  expect_quantized({x, one}, numbers(DType::int16, {5}, {-9, -1, 1, 1, 20}), type(DType::int16), 21);
  expect_quantized({x, one}, bits(DType::int4, {5}, {0xf8, 0x11, 0x07}), type(DType::int4), 21);
  expect_quantized({x, one}, bits(DType::uint4, {5}, {0x00, 0x11, 0x0f}), type(DType::uint4), 21);
  expect_quantized({x, one}, bits(DType::int2, {5}, {0x5e, 0x01}), type(DType::int2));
  expect_quantized({x, one}, bits(DType::uint2, {5}, {0x50, 0x03}), type(DType::uint2));
  // -9 / 2 = -4.5 lies beyond -4 and -6: nearest is -4; 10 saturates to 6.
  expect_quantized({x, floats({}, {2})}, bits(DType::float4e2m1, {5}, {0x9e, 0x11, 0x07}), type(DType::float4e2m1), 23);
  expect_quantized({x, floats({}, {65535}), numbers(DType::uint16, {}, {65535})},
                   numbers(DType::uint16, {5}, {65535, 65535, 65535, 65535, 65535}), {}, 21);
}

TEST(QuantizeLinear, GivesFloat8) {
  const Tensor x = numbers(DType::float32, {4}, {2, 2000, -2000, kNan});
  const Tensor scale = floats({}, {2});
  const Tensor zero = bits(DType::float8e4m3fn, {}, {0});
  expect_quantized({x, scale, zero}, bits(DType::float8e4m3fn, {4}, {0x38, 0x7e, 0xfe, 0x7f}), {}, 19);
  expect_quantized({x, scale, zero}, bits(DType::float8e4m3fn, {4}, {0x38, 0x7f, 0xff, 0x7f}),
                   {{"saturate", int64_t{0}}}, 19);
  expect_quantized({floats({2}, {2, 1e6}), scale, bits(DType::float8e5m2, {}, {0})},
                   bits(DType::float8e5m2, {2}, {0x3c, 0x7b}), {}, 19);
}

// 259.75 / (1 + 2^-10) = 259.4966: in float16 that is 259.5, which rounds to 260.
TEST(QuantizeLinear, DividesInThePrecisionOfTheScale) {
  const auto divide = [](DType x_type, DType scale_type, double expected, ModelBuilder::Attributes attributes,
                         int64_t opset) {
    attributes.emplace_back("output_dtype", static_cast<int64_t>(DType::int16));
    expect_quantized({numbers(x_type, {1}, {259.75}), numbers(scale_type, {}, {1.0009765625})},
                     numbers(DType::int16, {1}, {expected}), attributes, opset);
  };
  divide(DType::float16, DType::float16, 260, {}, 21);
  divide(DType::float32, DType::float32, 259, {}, 21);
  divide(DType::float32, DType::float16, 260, {}, 23);
  divide(DType::float16, DType::float32, 259, {}, 23);
  divide(DType::float16, DType::float16, 259, {{"precision", static_cast<int64_t>(DType::float32)}}, 23);
  // The scale becomes 1 in bfloat16, and 259.75 becomes 260.
  divide(DType::float32, DType::float32, 260, {{"precision", static_cast<int64_t>(DType::bfloat16)}}, 23);
}

TEST(QuantizeLinear, TakesIntegersAndPowersOfTwo) {
  expect_quantized({numbers(DType::int32, {3}, {7, 5, -5}), floats({}, {2}), numbers(DType::int8, {}, {0})},
                   numbers(DType::int8, {3}, {4, 2, -2}), {}, 10);
  expect_quantized(
      {numbers(DType::int32, {3}, {7, 5, -5}), numbers(DType::int32, {}, {2}), numbers(DType::int8, {}, {0})},
      numbers(DType::int8, {3}, {4, 2, -2}), {}, 19);
  // 1.5 and a little: no float tells the two quotients apart, a double does.
  expect_quantized({numbers(DType::int32, {1}, {1610612737}), numbers(DType::int32, {}, {1073741824})},
                   numbers(DType::uint8, {1}, {2}), {}, 19);
  expect_quantized({numbers(DType::int32, {1}, {1610612735}), numbers(DType::int32, {}, {1073741824})},
                   numbers(DType::uint8, {1}, {1}), {}, 19);
  expect_quantized({numbers(DType::bfloat16, {2}, {3, 5}), bits(DType::float8e8m0, {}, {128})},
                   numbers(DType::uint8, {2}, {2, 2}), {}, 24);
}

TEST(QuantizeLinear, AgreesWithTheFormulaOnLongRows) {
  for (const int64_t rows : {1, 37}) {
    const Tensor x = random_floats({rows, 1037}, 3);
    std::vector<float> scale(1037);
    std::vector<double> zero(1037), expected;
    for (size_t j = 0; j < 1037; ++j) {
      scale[j] = 0.001F * static_cast<float>(1 + j % 13);
      zero[j] = static_cast<double>(j % 200) - 100;
    }
    for (size_t i = 0; i < static_cast<size_t>(rows) * 1037; ++i) {
      const float quotient = x.values<float>()[i] / scale[i % 1037];
      const double q = std::nearbyint(static_cast<double>(quotient)) + zero[i % 1037];
      expected.push_back(std::min(127.0, std::max(-128.0, q)));
    }
    expect_quantized({x, floats({1037}, scale), numbers(DType::int8, {1037}, zero)},
                     numbers(DType::int8, {rows, 1037}, expected));
  }
}

TEST(QuantizeLinear, TakesNothingAndScalars) {
  expect_quantized({floats({0, 3}, {}), floats({}, {1})}, numbers(DType::uint8, {0, 3}, {}));
  expect_quantized({floats({3, 0}, {}), floats({0}, {}), bits(DType::int4, {0}, {})}, bits(DType::int4, {3, 0}, {}));
  expect_quantized({floats({}, {3}), floats({}, {2})}, numbers(DType::uint8, {}, {2}));
}

TEST(QuantizeLinear, RefusesWhatDoesNotFit) {
  const auto refuse = [](const std::vector<Value>& inputs, const ModelBuilder::Attributes& attributes,
                         const std::string& text, int64_t opset = 25) {
    expect_op_error({.op = "QuantizeLinear",
                     .inputs = inputs,
                     .outputs = {numbers(DType::uint8, {1}, {0})},
                     .attributes = attributes,
                     .opset = opset},
                    ErrorCode::invalid_model, text);
  };
  const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  refuse({x, floats({2}, {1, 1})}, {}, "scale of shape [2]");
  refuse({x, floats({2, 3}, {1, 1, 1, 1, 1, 1})}, {}, "scale of shape [2,3]");
  refuse({x, floats({2, 2}, {1, 1, 1, 1})}, {{"block_size", int64_t{1}}}, "scale of shape [2,2]");
  refuse({x, floats({3}, {1, 1, 1})}, {{"axis", int64_t{2}}}, "axis");
  refuse({x, floats({3}, {1, 1, 1}), numbers(DType::uint8, {}, {1})}, {}, "zero point");
  refuse({x, floats({}, {1}), numbers(DType::uint8, {}, {1})}, {{"output_dtype", static_cast<int64_t>(DType::int8)}},
         "output_dtype");
  refuse({x, floats({}, {1})}, {{"output_dtype", static_cast<int64_t>(DType::int32)}}, "int32");
  refuse({x, floats({}, {1})}, {{"output_dtype", static_cast<int64_t>(DType::int2)}}, "int2", 21);
  refuse({x, floats({}, {1})}, {{"block_size", int64_t{-1}}}, "block_size");
  refuse({x, floats({}, {1})}, {{"precision", static_cast<int64_t>(DType::int8)}}, "precision");
}

}  // namespace
}  // namespace onnxrun
