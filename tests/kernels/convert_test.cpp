#include "kernels/convert/convert.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/kernel_test.h"

namespace onnxrun::testing {
namespace {

using ConvertTest = IsaTest;
ONNXRUN_FOR_EACH_ISA(ConvertTest);

std::vector<float> floats() {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::vector<float> values = {0,      -0.0F,  kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN(),
                               1e-40F, -1e-40F};
  for (int exponent = -2; exponent <= 66; ++exponent) {
    const float power = std::ldexp(1.0F, exponent);
    for (const float x : {power, std::nextafter(power, 0.0F), std::nextafter(power, kInfinity), power * 1.5F}) {
      values.push_back(x);
      values.push_back(-x);
    }
  }
  for (int i = -600; i < 600; ++i) values.push_back(static_cast<float>(i) / 2);
  return values;
}

template <class To>
To nearest_within(float x) {
  if (std::isnan(x)) return 0;
  const double cut = std::trunc(static_cast<double>(x));
  if (cut <= static_cast<double>(std::numeric_limits<To>::min())) return std::numeric_limits<To>::min();
  if (cut >= static_cast<double>(std::numeric_limits<To>::max())) return std::numeric_limits<To>::max();
  return static_cast<To>(cut);
}

template <class T>
void check(DType dtype) {
  const std::vector<float> src = floats();
  const ConvertKernels::Row from_float = convert_kernels().find(DType::float32, dtype);
  const ConvertKernels::Row to_float = convert_kernels().find(dtype, DType::float32);
  ASSERT_TRUE(from_float && to_float);
  std::vector<T> cut(src.size() + 1, T(7));
  from_float(src.data(), cut.data(), src.size());
  std::vector<float> back(src.size() + 1, 7);
  to_float(cut.data(), back.data(), src.size());
  for (size_t i = 0; i < src.size(); ++i) {
    EXPECT_EQ(cut[i], nearest_within<T>(src[i])) << src[i];
    EXPECT_EQ(back[i], static_cast<float>(cut[i])) << src[i];
  }
  EXPECT_EQ(cut.back(), T(7));
  EXPECT_EQ(back.back(), 7);
}

TEST_P(ConvertTest, FloatsAreCutToTheNearestThatFits) {
  check<int8_t>(DType::int8);
  check<uint8_t>(DType::uint8);
  check<int16_t>(DType::int16);
  check<uint16_t>(DType::uint16);
  check<int32_t>(DType::int32);
  check<uint32_t>(DType::uint32);
  check<int64_t>(DType::int64);
  check<uint64_t>(DType::uint64);
}

TEST_P(ConvertTest, WhatIsNotZeroIsTrue) {
  const std::vector<float> src = floats();
  std::vector<uint8_t> flags(src.size());
  convert_kernels().find(DType::float32, DType::boolean)(src.data(), flags.data(), src.size());
  for (size_t i = 0; i < src.size(); ++i) EXPECT_EQ(flags[i], src[i] != 0 ? 1 : 0) << src[i];
}

TEST_P(ConvertTest, OtherTypesHaveNone) {
  EXPECT_EQ(convert_kernels().find(DType::float32, DType::float32), nullptr);
  EXPECT_EQ(convert_kernels().find(DType::int32, DType::int64), nullptr);
  EXPECT_EQ(convert_kernels().find(DType::float32, DType::float64), nullptr);
}

}  // namespace
}  // namespace onnxrun::testing
