#include "kernels/quantize/quantize.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/kernel_test.h"

namespace onnxrun::testing {
namespace {

class QuantizeTest : public IsaTest {};

double clamped(double value, int32_t zero, QuantizedRange range) {
  const double shifted = std::nearbyint(value) + zero;
  return shifted > range.low ? std::min<double>(shifted, range.high) : range.low;
}

template <class T>
void expect_rows() {
  Random random;
  SCOPED_TRACE(random.seed());
  const auto& kernels = quantize_kernels().of<T>();
  const QuantizedRange range = {std::numeric_limits<T>::min(), std::numeric_limits<T>::max()};
  for (const size_t n : {0, 1, 7, 8, 31, 64, 133}) {
    for (const ptrdiff_t step : {0, 1}) {
      const auto reach = static_cast<float>(range.high);
      std::vector<float> x = random.floats(n, -3 * reach, 3 * reach);
      for (size_t i = 0; i < n; i += 3) x[i] = std::nearbyint(x[i]) + 0.5F;  // ties, where the scale is 1
      const std::vector<float> scale = step == 0 ? std::vector<float>{1} : random.floats(n + 1, 0.5F, 2);
      std::vector<int32_t> zero(n + 1), sums(n);
      for (int32_t& value : zero) value = static_cast<int32_t>(random.integer(0, 100)) + range.low;
      for (size_t i = 0; i < n; ++i) sums[i] = static_cast<int32_t>(x[i]) * 16;
      Buffer<T> q(n), r(n);
      Buffer<float> back(n);
      kernels.quantize(x.data(), {scale.data(), step}, {zero.data(), step}, range, q.get(), n);
      const int32_t bias = static_cast<int32_t>(random.integer(0, 2000)) - 1000;
      kernels.requantize(sums.data(), bias, {scale.data(), step}, zero[0], range, r.get(), n);
      kernels.dequantize(q.get(), {scale.data(), step}, {zero.data(), step}, back.get(), n);
      for (size_t i = 0; i < n; ++i) {
        const size_t k = step == 0 ? 0 : i;
        ASSERT_EQ(static_cast<double>(q.get()[i]), clamped(x[i] / scale[k], zero[k], range)) << x[i];
        ASSERT_EQ(static_cast<double>(r.get()[i]),
                  clamped(static_cast<float>(sums[i] + bias) * scale[k], zero[0], range));
        ASSERT_EQ(back.get()[i], static_cast<float>(q.get()[i] - zero[k]) * scale[k]);
      }
    }
  }
}

TEST_P(QuantizeTest, FollowsTheFormula) {
  expect_rows<int8_t>();
  expect_rows<uint8_t>();
  expect_rows<int16_t>();
  expect_rows<uint16_t>();
}

TEST_P(QuantizeTest, TakesWhatIsNoNumber) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const std::vector<float> x = {kInf, -kInf, std::numeric_limits<float>::quiet_NaN(), 1e38F, -1e38F, -0.0F};
  const float scale = 1;
  const int32_t zero = 3;
  uint8_t q[6];
  quantize_kernels().u8.quantize(x.data(), {&scale, 0}, {&zero, 0}, {0, 255}, q, 6);
  EXPECT_EQ(std::vector<int>(q, q + 6), (std::vector<int>{255, 0, 0, 255, 0, 3}));
}

TEST_P(QuantizeTest, FindsExtremaAndZero) {
  float low = 7, high = 7;
  quantize_kernels().extrema(nullptr, 0, &low, &high);
  EXPECT_EQ(low, 0);
  EXPECT_EQ(high, 0);
  std::vector<float> x(100, 1);
  x[3] = std::numeric_limits<float>::quiet_NaN();
  x[37] = -4;
  x[99] = 9;
  quantize_kernels().extrema(x.data(), x.size(), &low, &high);
  EXPECT_EQ(low, -4);
  EXPECT_EQ(high, 9);
}

ONNXRUN_FOR_EACH_ISA(QuantizeTest);

}  // namespace
}  // namespace onnxrun::testing
