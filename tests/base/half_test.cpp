#include "base/half.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace onnxrun {
namespace {

// The value of binary16 bits by the definition of IEEE 754.
double value_of(uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const int mantissa = bits & 1023;
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if (exponent == 31) return mantissa != 0 ? std::numeric_limits<double>::quiet_NaN() : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(mantissa, -24);
  return sign * std::ldexp(1024 + mantissa, exponent - 25);
}

TEST(Half, EveryValueWidensExactlyAndComesBack) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const double expected = value_of(half);
    const float wide = Half::to_float(half);
    if (std::isnan(expected)) {
      EXPECT_TRUE(std::isnan(wide));
      EXPECT_TRUE(std::isnan(value_of(Half::from_float(wide))));
      continue;
    }
    ASSERT_EQ(static_cast<double>(wide), expected) << bits;
    ASSERT_EQ(Half::from_float(wide), half) << bits;
  }
}

TEST(Half, RoundsToTheNearestAndTiesToEven) {
  for (uint32_t bits = 0; bits < 0x7bff; ++bits) {
    const double low = value_of(static_cast<uint16_t>(bits));
    const double high = value_of(static_cast<uint16_t>(bits + 1));
    const double middle = (low + high) / 2;
    const auto even = static_cast<uint16_t>(bits % 2 == 0 ? bits : bits + 1);
    ASSERT_EQ(Half(middle).bits, even) << bits;
    ASSERT_EQ(Half(std::nextafter(middle, 0.0)).bits, bits) << bits;
    ASSERT_EQ(Half(std::nextafter(middle, INFINITY)).bits, bits + 1) << bits;
    ASSERT_EQ(Half(-middle).bits, even | 0x8000) << bits;
  }
}

TEST(Half, LargeNumbersBecomeInfinite) {
  EXPECT_EQ(Half(65519.0).bits, 0x7bff);
  EXPECT_EQ(Half(65520.0).bits, 0x7c00);
  EXPECT_EQ(Half(-1e300).bits, 0xfc00);
}

TEST(BFloat16, RoundsToTheNearestAndTiesToEven) {
  EXPECT_EQ(BFloat16(1.0F).bits, 0x3f80);
  EXPECT_EQ(BFloat16(1.00390625).bits, 0x3f80);          // half way to the next, 1.0 is even
  EXPECT_EQ(BFloat16(1.01171875).bits, 0x3f82);          // half way, the upper one is even
  EXPECT_EQ(BFloat16(1.00390625 + 1e-12).bits, 0x3f81);  // a float would have lost the difference
  EXPECT_TRUE(std::isnan(static_cast<float>(BFloat16(NAN))));
}

}  // namespace
}  // namespace onnxrun
