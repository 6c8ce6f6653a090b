#include <gtest/gtest.h>

#include <limits>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

ModelBuilder::Attributes to(DType dtype) { return {{"to", static_cast<int64_t>(dtype)}}; }

void expect_cast(const Tensor& from, const Tensor& expected, ModelBuilder::Attributes attributes = {}) {
  attributes.emplace_back("to", static_cast<int64_t>(expected.dtype()));
  expect_op({.op = "Cast", .inputs = {from}, .outputs = {expected}, .attributes = std::move(attributes), .opset = 25});
}

template <size_t N>
Tensor bytes(DType dtype, const Shape& shape, const uint8_t (&values)[N]) {
  return Tensor::of<uint8_t>(dtype, shape, values);
}

TEST(Cast, TruncatesAndSaturatesFloats) {
  const Tensor data = numbers(DType::float32, {7}, {2.9, -2.9, 300, -300, kInf, -kInf, kNan});
  expect_cast(data, numbers(DType::int8, {7}, {2, -2, 127, -128, 127, -128, 0}));
  expect_cast(data, numbers(DType::uint8, {7}, {2, 0, 255, 0, 255, 0, 0}));
  expect_cast(data, numbers(DType::boolean, {7}, {1, 1, 1, 1, 1, 1, 1}));
  constexpr auto kMax = std::numeric_limits<int64_t>::max();
  constexpr auto kMin = std::numeric_limits<int64_t>::min();
  expect_cast(data, integers({7}, {2, -2, 300, -300, kMax, kMin, 0}));
}

TEST(Cast, KeepsTheLowBitsOfIntegers) {
  const Tensor data = integers({4}, {200, -1, 65536 + 7, 0});
  expect_cast(data, numbers(DType::int8, {4}, {-56, -1, 7, 0}));
  expect_cast(data, numbers(DType::uint16, {4}, {200, 65535, 7, 0}));
  expect_cast(data, numbers(DType::boolean, {4}, {1, 1, 1, 0}));
  expect_cast(data, bytes(DType::uint4, {4}, {0xf8, 0x07}));
}

// 1 + 2^-11 lies half way between two float16 numbers; what lies just above must round up, in one step.
TEST(Cast, RoundsOnce) {
  expect_cast(numbers(DType::float64, {3}, {1 + 0x1p-11, 1 + 0x1p-11 + 0x1p-40, 65520}),
              numbers(DType::float16, {3}, {1, 1 + 0x1p-10, kInf}));
  expect_cast(numbers(DType::float64, {2}, {1 + 0x1p-8, 1 + 0x1p-8 + 0x1p-40}),
              numbers(DType::bfloat16, {2}, {1, 1 + 0x1p-7}));
  expect_cast(numbers(DType::float64, {2}, {1e300, -1e300}), numbers(DType::float32, {2}, {kInf, -kInf}));
}

TEST(Cast, ConvertsFloat8) {
  const Tensor data = numbers(DType::float32, {6}, {1, -448, 1000, kInf, 0x1p-9, kNan});
  expect_cast(data, bytes(DType::float8e4m3fn, {6}, {0x38, 0xfe, 0x7e, 0x7e, 0x01, 0x7f}));
  expect_cast(data, bytes(DType::float8e4m3fn, {6}, {0x38, 0xfe, 0x7f, 0x7f, 0x01, 0x7f}), {{"saturate", int64_t{0}}});
  expect_cast(numbers(DType::float32, {3}, {1, kInf, -0.0}), bytes(DType::float8e4m3fnuz, {3}, {0x40, 0x7f, 0x00}));
  expect_cast(numbers(DType::float32, {3}, {1, 1e6, -kInf}), bytes(DType::float8e5m2, {3}, {0x3c, 0x7c, 0xfc}),
              {{"saturate", int64_t{0}}});
  expect_cast(bytes(DType::float8e5m2fnuz, {3}, {0x40, 0x7f, 0x80}), numbers(DType::float32, {3}, {1, 57344, kNan}));
  expect_cast(bytes(DType::float8e8m0, {3}, {127, 0, 255}), numbers(DType::float32, {3}, {1, 0x1p-127, kNan}));
  expect_cast(numbers(DType::float32, {3}, {1.5, 1, 1e39}), bytes(DType::float8e8m0, {3}, {128, 127, 254}));
  expect_cast(numbers(DType::float32, {2}, {1.5, 1.25}), bytes(DType::float8e8m0, {2}, {127, 127}),
              {{"round_mode", std::string("down")}});
  expect_cast(numbers(DType::float32, {2}, {1.5, 1.25}), bytes(DType::float8e8m0, {2}, {128, 127}),
              {{"round_mode", std::string("nearest")}});
}

TEST(Cast, ConvertsPackedTypes) {
  expect_cast(bytes(DType::int4, {3}, {0xf8, 0x07}), integers({3}, {-8, -1, 7}));
  expect_cast(bytes(DType::uint2, {5}, {0xe4, 0x01}), integers({5}, {0, 1, 2, 3, 1}));
  expect_cast(bytes(DType::float4e2m1, {4}, {0x71, 0xf2}), numbers(DType::float32, {4}, {0.5, 6, 1, -6}));
  expect_cast(numbers(DType::float32, {3}, {0.25, 5, -100}), bytes(DType::float4e2m1, {3}, {0x60, 0x0f}));
}

TEST(Cast, ReadsAndWritesText) {
  expect_cast(strings({5}, {"3.14", "1e-5", "+INF", "-inf", "NaN"}),
              numbers(DType::float32, {5}, {3.14, 1e-5, kInf, -kInf, kNan}));
  expect_cast(strings({3}, {"-7", "+9", " 100 "}), integers({3}, {-7, 9, 100}));
  expect_cast(numbers(DType::float32, {3}, {314.15926, 0.1, -2.5}), strings({3}, {"314.15927", "0.1", "-2.5"}));
  expect_cast(numbers(DType::int8, {2}, {-8, 7}), strings({2}, {"-8", "7"}));
  expect_op_error(
      {.op = "Cast", .inputs = {strings({1}, {"1x"})}, .outputs = {floats({1}, {1})}, .attributes = to(DType::float32)},
      ErrorCode::run_failed, "'1x'");
}

TEST(Cast, TakesTheTypeByNameInItsFirstVersion) {
  expect_op({.op = "Cast",
             .inputs = {floats({1}, {2.5F})},
             .outputs = {integers({1}, {2})},
             .attributes = {{"to", std::string("INT64")}},
             .opset = 1});
}

TEST(CastLike, TakesTheTypeOfItsSecondInput) {
  expect_op({.op = "CastLike", .inputs = {floats({1}, {2.5F}), integers({0}, {})}, .outputs = {integers({1}, {2})}});
}

}  // namespace
}  // namespace onnxrun
