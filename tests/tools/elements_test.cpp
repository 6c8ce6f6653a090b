#include "elements.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace onnxrun::cli {
namespace {

// One element of a type of 8 bits or less, or of 16, by its bits.
double decode(DType dtype, uint16_t bits) { return static_cast<double>(element_as_real({dtype, {1}, &bits}, 0)); }

// Values of the specifications: https://onnx.ai/onnx/technical/float8.html, float4.html.
TEST(Elements, SmallFloatsByTheirBits) {
  EXPECT_EQ(decode(DType::float16, 0x3C01), 1.0009765625);
  EXPECT_EQ(decode(DType::float16, 0x0001), std::ldexp(1, -24));
  EXPECT_EQ(decode(DType::float16, 0xFC00), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(decode(DType::bfloat16, 0x4049), 3.140625);
  EXPECT_EQ(decode(DType::float8e4m3fn, 0x7E), 448);
  EXPECT_TRUE(std::isnan(decode(DType::float8e4m3fn, 0x7F)));
  EXPECT_EQ(decode(DType::float8e4m3fnuz, 0x7F), 240);
  EXPECT_TRUE(std::isnan(decode(DType::float8e4m3fnuz, 0x80)));
  EXPECT_EQ(decode(DType::float8e5m2, 0x7B), 57344);
  EXPECT_TRUE(std::isinf(decode(DType::float8e5m2, 0x7C)));
  EXPECT_EQ(decode(DType::float8e5m2fnuz, 0x7F), 57344);
  EXPECT_EQ(decode(DType::float8e8m0, 0x7F), 1);
  EXPECT_EQ(decode(DType::float4e2m1, 0x7), 6);
  EXPECT_EQ(decode(DType::float4e2m1, 0x9), -0.5);
}

TEST(Elements, PackedElementsStartInTheLowestBits) {
  const uint8_t bytes[] = {0x8F, 0x07};
  const TensorView int4{DType::int4, {3}, bytes}, uint4{DType::uint4, {3}, bytes}, int2{DType::int2, {4}, bytes};
  EXPECT_EQ(element_as_real(int4, 0), -1);
  EXPECT_EQ(element_as_real(int4, 1), -8);
  EXPECT_EQ(element_as_real(int4, 2), 7);
  EXPECT_EQ(element_as_real(uint4, 1), 8);
  EXPECT_EQ(element_as_real(int2, 2), 0);
  EXPECT_EQ(element_as_real(int2, 3), -2);
}

// What is set is read again wherever the type holds it exactly.
TEST(Elements, SmallIntegersReturnInEveryType) {
  for (int number = 1; number < kDTypeCount; ++number) {
    const auto dtype = static_cast<DType>(number);
    if (dtype == DType::string) continue;
    Tensor tensor(dtype, {3});
    for (int64_t i = 0; i < 3; ++i) set_element(tensor, i, 1);
    for (int64_t i = 0; i < 3; ++i) EXPECT_EQ(element_as_real(tensor, i), 1) << dtype_name(dtype);
  }
}

TEST(Elements, EverySmallFloatSurvivesDecodingAndEncoding) {
  for (const DType dtype : {DType::float16, DType::bfloat16, DType::float8e4m3fn, DType::float8e4m3fnuz,
                            DType::float8e5m2, DType::float8e5m2fnuz, DType::float4e2m1}) {
    Tensor tensor(dtype, {1});
    for (uint32_t bits = 0; bits < (1U << bit_size(dtype)); ++bits) {
      const double value = decode(dtype, static_cast<uint16_t>(bits));
      if (!std::isfinite(value)) continue;
      set_element(tensor, 0, value);
      EXPECT_EQ(static_cast<double>(element_as_real(tensor, 0)), value) << dtype_name(dtype) << ' ' << bits;
    }
  }
}

TEST(Elements, ValuesOutsideTheRangeSaturate) {
  Tensor byte(DType::uint8, {1}), half(DType::float16, {1}), nibble(DType::int4, {2});
  set_element(byte, 0, 300);
  set_element(half, 0, -1e9);
  set_element(nibble, 1, -100);
  EXPECT_EQ(element_as_real(byte, 0), 255);
  EXPECT_EQ(element_as_real(half, 0), -65504);
  EXPECT_EQ(element_as_real(nibble, 1), -8);
}

TEST(Elements, TextGivesTheElementBack) {
  const float third = 1.0F / 3;
  const uint64_t big = UINT64_MAX;
  const std::string text = "say \"a\\b\"";
  EXPECT_EQ(std::stof(element_text({DType::float32, {1}, &third}, 0)), third);
  EXPECT_EQ(element_text({DType::uint64, {1}, &big}, 0), "18446744073709551615");
  EXPECT_EQ(element_text({DType::string, {1}, &text}, 0), R"("say \"a\\b\"")");
}

}  // namespace
}  // namespace onnxrun::cli
