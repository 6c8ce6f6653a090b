#include "kernels/half/half.h"

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/kernel_test.h"

namespace onnxrun::testing {
namespace {

using HalfTest = IsaTest;
ONNXRUN_FOR_EACH_ISA(HalfTest);

// The value of a float16 by its definition: IEEE 754, binary16.
double value(uint16_t bits) {
  const int exponent = (bits >> 10) & 0x1f, mantissa = bits & 0x3ff;
  const double sign = bits >> 15 ? -1 : 1;
  if (exponent == 0x1f) return mantissa ? std::nan("") : sign * std::numeric_limits<double>::infinity();
  return sign * (exponent ? std::ldexp(1024 + mantissa, exponent - 25) : std::ldexp(mantissa, -24));
}

TEST_P(HalfTest, EveryNumberGoesThereAndBack) {
  std::vector<Half> src(65536);
  for (size_t i = 0; i < src.size(); ++i) src[i].bits = static_cast<uint16_t>(i);
  for (const size_t n : {src.size(), src.size() - 3}) {
    std::vector<float> wide(src.size());
    half_kernels().widen(src.data(), wide.data(), n);
    std::vector<Half> back(src.size());
    half_kernels().narrow(wide.data(), back.data(), n);
    for (size_t i = 0; i < n; ++i) {
      const double expected = value(static_cast<uint16_t>(i));
      if (std::isnan(expected)) {
        EXPECT_TRUE(std::isnan(wide[i]) && std::isnan(value(back[i].bits))) << i;
      } else {
        ASSERT_EQ(wide[i], expected) << i;
        ASSERT_EQ(back[i].bits, i);
      }
    }
  }
}

TEST_P(HalfTest, RoundsToNearestEven) {
  // Between neighbours, just beside the middle and in it; beyond the largest number.
  std::vector<float> src;
  std::vector<uint16_t> expected;
  const auto add = [&](double x, int bits) {
    for (const int sign : {0, 0x8000}) {
      src.push_back(static_cast<float>(sign ? -x : x));
      expected.push_back(static_cast<uint16_t>(bits | sign));
    }
  };
  for (int bits = 0; bits < 0x7bff; bits += 7) {
    const double low = value(static_cast<uint16_t>(bits)), high = value(static_cast<uint16_t>(bits + 1));
    const double middle = (low + high) / 2, little = (high - low) / 1024;
    add(middle - little, bits);
    add(middle, bits + bits % 2);
    add(middle + little, bits + 1);
  }
  add(65519.996, 0x7bff);
  add(65520, 0x7c00);
  add(std::numeric_limits<double>::infinity(), 0x7c00);
  std::vector<Half> got(src.size());
  half_kernels().narrow(src.data(), got.data(), src.size());
  for (size_t i = 0; i < src.size(); ++i) ASSERT_EQ(got[i].bits, expected[i]) << src[i];
}

}  // namespace
}  // namespace onnxrun::testing
