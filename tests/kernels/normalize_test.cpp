#include "kernels/normalize/normalize.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/kernel_test.h"

namespace onnxrun::testing {
namespace {

using NormalizeTest = IsaTest;
ONNXRUN_FOR_EACH_ISA(NormalizeTest);

constexpr float kGuard = 77;

std::vector<float> row(size_t n, float factor) {
  std::vector<float> values(n + 1, kGuard);
  for (size_t i = 0; i < n; ++i) values[i] = factor * std::sin(static_cast<float>(i * i + 1));
  return values;
}

TEST_P(NormalizeTest, AddsSquaresOfDistances) {
  for (size_t n = 0; n < 150; ++n) {
    const auto src = row(n, 3);
    double expected = 0;
    for (size_t i = 0; i < n; ++i) expected += std::pow(static_cast<double>(src[i]) - 0.5, 2);
    EXPECT_NEAR(normalize_kernels().square_sum(src.data(), n, 0.5F), expected, 1e-6 * expected) << n;
  }
}

TEST_P(NormalizeTest, ScalesByRowsAndByNumbers) {
  for (size_t n = 0; n < 70; ++n) {
    const auto src = row(n, 3);
    const auto scale = row(n, 2);
    const auto bias = row(n, 1);
    for (const ptrdiff_t scale_step : {0, 1}) {
      for (const int bias_step : {-1, 0, 1}) {
        std::vector<float> dst(n + 1, kGuard);
        normalize_kernels().apply(src.data(), dst.data(), n, 0.25F, 2, scale.data(), scale_step,
                                  bias_step < 0 ? nullptr : bias.data(), bias_step);
        for (size_t i = 0; i < n; ++i) {
          const double factor = static_cast<double>(scale[scale_step == 0 ? 0 : i]);
          const double shift = bias_step < 0 ? 0 : static_cast<double>(bias[bias_step == 0 ? 0 : i]);
          EXPECT_NEAR(dst[i], (static_cast<double>(src[i]) - 0.25) * 2 * factor + shift, 2e-6) << n << " " << i;
        }
        EXPECT_EQ(dst[n], kGuard);
      }
    }
  }
}

TEST_P(NormalizeTest, NormalizesRows) {
  Random random;
  SCOPED_TRACE(random.seed());
  for (const size_t n : {1, 3, 8, 13, 32, 49, 96, 250}) {
    for (const size_t count : {1, 5, 16, 37}) {
      const auto src = random.floats(count * n), scale = random.floats(n), bias = random.floats(n);
      for (const bool is_centered : {false, true}) {
        std::vector<float> dst(count * n + 1, kGuard), mean(count), inverse(count);
        NormalizedRows rows = {src.data(), dst.data(),   count,       n,           is_centered,
                               1e-3,       scale.data(), bias.data(), mean.data(), inverse.data()};
        normalize_kernels().rows(rows);
        std::vector<float> again = src;
        rows.src = rows.dst = again.data();
        rows.mean = rows.inverse = nullptr;
        normalize_kernels().rows(rows);
        EXPECT_TRUE(std::equal(again.begin(), again.end(), dst.begin()));
        for (size_t r = 0; r < count; ++r) {
          double sum = 0, squares = 0;
          for (size_t i = 0; is_centered && i < n; ++i) sum += static_cast<double>(src[r * n + i]);
          const double center = sum / static_cast<double>(n);
          for (size_t i = 0; i < n; ++i) squares += std::pow(static_cast<double>(src[r * n + i]) - center, 2);
          const double factor = 1 / std::sqrt(squares / static_cast<double>(n) + 1e-3);
          EXPECT_NEAR(mean[r], center, 1e-6);
          EXPECT_NEAR(inverse[r], factor, 2e-6 * factor);
          for (size_t i = 0; i < n; ++i) {
            const double value = (static_cast<double>(src[r * n + i]) - center) * factor;
            const double expected = value * static_cast<double>(scale[i]) + static_cast<double>(bias[i]);
            ASSERT_NEAR(dst[r * n + i], expected, 2e-5) << n << ' ' << r << ' ' << i;
          }
        }
        EXPECT_EQ(dst[count * n], kGuard);
      }
    }
  }
}

}  // namespace
}  // namespace onnxrun::testing
