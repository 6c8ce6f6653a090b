#include "kernels/row/row.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/channel_block.h"
#include "kernels/kernel_test.h"

namespace onnxrun::testing {
namespace {

using RowTest = IsaTest;
ONNXRUN_FOR_EACH_ISA(RowTest);

constexpr float kGuard = 77;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> row(size_t n, float factor) {
  std::vector<float> values(n + 1, kGuard);
  for (size_t i = 0; i < n; ++i) values[i] = factor * std::sin(static_cast<float>(i * i + 1));
  return values;
}

double larger(double a, double b) { return std::isnan(a) || std::isnan(b) ? std::nan("") : std::max(a, b); }

void expect_same(double got, double want, const char* what, size_t n, size_t i) {
  EXPECT_TRUE(got == want || (std::isnan(got) && std::isnan(want)))
      << what << " of " << n << " at " << i << ": " << got << ", not " << want;
}

TEST_P(RowTest, GathersStridedElements) {
  for (const ptrdiff_t stride : {1, 2, 3}) {
    for (size_t n = 0; n < 70; ++n) {
      auto src = row(n * static_cast<size_t>(stride), 3);
      if (n > 4) src[(n - 2) * static_cast<size_t>(stride)] = kNan;
      const auto before = row(n, 2);
      auto most = before;
      row_kernels().max_strided(most.data(), src.data(), stride, n);
      for (size_t i = 0; i < n; ++i) {
        const float x = src[i * static_cast<size_t>(stride)];
        expect_same(most[i], larger(before[i], x), "max", n, i);
      }
      EXPECT_EQ(most[n], kGuard);
    }
  }
}

TEST_P(RowTest, AMaskForbidsWhateverTheScore) {
  for (const ptrdiff_t stride : {0, 1, 2, 3}) {
    for (size_t n = 0; n < 70; ++n) {
      auto mask = row(n * static_cast<size_t>(stride) + 1, 3);
      for (size_t i = 0; i < mask.size(); i += 3) mask[i] = -kInfinity;
      auto scores = row(n, 2);
      for (size_t i = 0; i < n; i += 4) scores[i] = i % 8 == 0 ? kNan : kInfinity;
      const auto before = scores;
      row_kernels().add_mask(scores.data(), mask.data(), stride, n);
      for (size_t i = 0; i < n; ++i) {
        const float x = mask[i * static_cast<size_t>(stride)];
        expect_same(scores[i], x == -kInfinity ? x : before[i] + x, "masked score", n, i);
      }
      EXPECT_EQ(scores[n], kGuard);
    }
  }
}

TEST_P(RowTest, WorksOnVectors) {
  const size_t width = channel_block();
  for (size_t n = 0; n < 12; ++n) {
    auto src = row(n * width, 3);
    if (n > 1) src[width + 1] = kNan;
    const auto scale = row(width, 1.5F), shift = row(width, 0.5F);
    std::vector<float> line(n * width + 1, kGuard), total(width), top(width);
    row_kernels().scale_shift_blocks(src.data(), line.data(), n, scale.data(), shift.data());
    row_kernels().sum_of_blocks(src.data(), total.data(), n);
    row_kernels().max_of_blocks(src.data(), top.data(), n);
    for (size_t lane = 0; lane < width; ++lane) {
      double all = 0, peak = -static_cast<double>(kInfinity);
      for (size_t i = 0; i < n; ++i) {
        const size_t at = i * width + lane;
        const double want = static_cast<double>(src[at]) * static_cast<double>(scale[lane]) + shift[lane];
        if (std::isnan(want)) {
          EXPECT_TRUE(std::isnan(line[at]));
        } else {
          EXPECT_NEAR(line[at], want, 1e-6);
        }
        all += src[at];
        peak = larger(peak, src[at]);
      }
      if (std::isnan(all)) {
        EXPECT_TRUE(std::isnan(total[lane]));
      } else {
        EXPECT_NEAR(total[lane], all, 1e-5);
      }
      expect_same(top[lane], peak, "top", n, lane);
    }
    EXPECT_EQ(line[n * width], kGuard);
  }
}

TEST_P(RowTest, ReducesAndScales) {
  for (size_t n = 0; n < 150; ++n) {
    const auto src = row(n, 3);
    std::vector<float> dst(n + 1, kGuard);
    row_kernels().scale_shift(src.data(), dst.data(), n, 1.25F, -0.5F);
    double sum = 0, most = -static_cast<double>(kInfinity);
    for (size_t i = 0; i < n; ++i) {
      sum += src[i];
      most = larger(most, src[i]);
      EXPECT_NEAR(dst[i], static_cast<double>(src[i]) * 1.25 - 0.5, 1e-6) << n << " " << i;
    }
    const auto scale = row(n, 4), shift = row(n, 5);
    row_kernels().scale_shift_each(src.data(), dst.data(), n, scale.data(), shift.data());
    for (size_t i = 0; i < n; ++i) {
      EXPECT_NEAR(dst[i], static_cast<double>(src[i]) * scale[i] + shift[i], 1e-5) << n << " " << i;
    }
    EXPECT_EQ(dst[n], kGuard);
    EXPECT_NEAR(row_kernels().sum(src.data(), n), sum, 1e-5) << n;
    expect_same(row_kernels().max(src.data(), n), most, "max", n, 0);
  }
}

TEST_P(RowTest, MaximumKeepsNanWhereverItIs) {
  for (const size_t n : {1, 7, 16, 17, 40, 64, 65}) {
    for (size_t i = 0; i < n; ++i) {
      auto src = row(n, 3);
      src[i] = kNan;
      EXPECT_TRUE(std::isnan(row_kernels().max(src.data(), n))) << n << " " << i;
    }
  }
}

TEST_P(RowTest, ExponentialsAndTheirSum) {
  for (size_t n = 0; n < 70; ++n) {
    for (const bool in_place : {false, true}) {
      auto src = row(n, 20);
      if (n > 2) src[n - 1] = -kInfinity;
      const auto before = src;
      std::vector<float> other(n + 1, kGuard);
      float* dst = in_place ? src.data() : other.data();
      const float got = row_kernels().exp_sum(src.data(), dst, n, 20);
      double sum = 0;
      for (size_t i = 0; i < n; ++i) {
        const double want = std::exp(static_cast<double>(before[i] - 20));
        sum += want;
        EXPECT_NEAR(dst[i], want, 1.2e-7 * want) << n << " " << i;
      }
      EXPECT_NEAR(got, sum, 1e-6 * sum) << n;
      EXPECT_EQ(dst[n], kGuard);
    }
  }
}

TEST_P(RowTest, SoftmaxOfRows) {
  for (const size_t n : {1, 2, 7, 8, 17, 49, 100}) {
    for (const size_t count : {1, 3, 8, 21}) {
      auto src = row(count * n, 20);
      if (n > 2) src[n - 1] = -kInfinity;
      if (count > 4) src[4 * n + n / 2] = kNan;
      if (count > 5) src[5 * n] = kInfinity;
      if (count > 6) std::fill_n(src.begin() + static_cast<ptrdiff_t>(6 * n), n, -kInfinity);
      std::vector<float> dst(count * n + 1, kGuard);
      row_kernels().softmax(src.data(), dst.data(), count, n);
      EXPECT_EQ(dst[count * n], kGuard);
      for (size_t r = 0; r < count; ++r) {
        const float* from = src.data() + r * n;
        const float most = *std::max_element(from, from + n);
        double sum = 0;
        for (size_t i = 0; i < n; ++i) sum += std::exp(static_cast<double>(from[i] - most));
        for (size_t i = 0; i < n; ++i) {
          if (r >= 4 && r <= 6) {
            EXPECT_TRUE(std::isnan(dst[r * n + i])) << n << ' ' << r << ' ' << i;
          } else {
            const double want = std::exp(static_cast<double>(from[i] - most)) / sum;
            EXPECT_NEAR(dst[r * n + i], want, 1e-6 * want) << n << ' ' << r << ' ' << i;
          }
        }
      }
      row_kernels().softmax(src.data(), src.data(), count, n);
      EXPECT_EQ(std::memcmp(src.data(), dst.data(), count * n * sizeof(float)), 0);
    }
  }
}

TEST_P(RowTest, AddsExponentialsOfColumns) {
  for (size_t n = 0; n < 70; ++n) {
    auto src = row(n, 3);
    auto shift = src, sums = row(n, 1);
    for (size_t i = 0; i < n; ++i) shift[i] += static_cast<float>(i % 3) * 50;  // some results vanish
    if (n > 2) src[1] = -kInfinity, src[2] = kNan;
    const auto before = sums;
    std::vector<float> dst(n + 1, kGuard);
    row_kernels().exp_sum_each(src.data(), dst.data(), n, shift.data(), sums.data());
    for (size_t i = 0; i < n; ++i) {
      const double exact = std::exp(static_cast<double>(src[i] - shift[i]));
      const double want = exact < 1.2e-38 ? 0 : exact;
      if (std::isnan(want)) {
        EXPECT_TRUE(std::isnan(dst[i]) && std::isnan(sums[i]));
        continue;
      }
      EXPECT_NEAR(dst[i], want, 1.2e-7 * want) << n << " " << i;
      EXPECT_NEAR(sums[i], static_cast<double>(before[i]) + want, 1e-6) << n << " " << i;
    }
    EXPECT_EQ(dst[n], kGuard);
    EXPECT_EQ(sums[n], kGuard);
  }
}

}  // namespace
}  // namespace onnxrun::testing
