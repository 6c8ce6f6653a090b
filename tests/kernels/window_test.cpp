#include "kernels/window/window.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/channel_block.h"
#include "kernels/kernel_test.h"

namespace onnxrun::testing {
namespace {

constexpr float kGuard = 77;

class WindowTest : public IsaTest {
 protected:
  // A row of windows over random maps, with or without NaN, of `lanes` floats for each element.
  void check(size_t lanes, size_t width, size_t before, size_t skipped, size_t stride, size_t dilation, size_t taps,
             size_t count, size_t row_count) {
    std::vector<float> src = random_.floats(width * 4 * lanes);
    for (float& x : src) {
      if (random_.chance(0.02)) x = std::numeric_limits<float>::quiet_NaN();
    }
    const std::vector<int64_t> all_rows = {static_cast<int64_t>(2 * width), 0, static_cast<int64_t>(3 * width),
                                           static_cast<int64_t>(width)};
    std::vector<float> divisors(count), reciprocals(count);
    for (size_t i = 0; i < count; ++i) {
      divisors[i] = static_cast<float>(random_.integer(1, 50));
      reciprocals[i] = 1 / divisors[i];
    }
    for (const bool is_sum : {false, true}) {
      std::vector<float> dst(count * lanes + 1, kGuard);
      WindowRow row;
      row.src = src.data();
      row.rows = all_rows.data();
      row.row_count = row_count;
      row.width = width;
      row.before = before;
      row.skipped = skipped;
      row.stride = stride;
      row.dilation = dilation;
      row.taps = taps;
      row.count = count;
      while (row.inside_begin < count && row.inside_begin * stride + skipped < before) ++row.inside_begin;
      row.inside_end = row.inside_begin;
      while (row.inside_end < count && row.inside_end * stride + (taps - 1) * dilation + skipped < before + width) {
        ++row.inside_end;
      }
      row.dst = dst.data();
      if (is_sum) row.divisors = divisors.data();
      if (is_sum) row.reciprocals = reciprocals.data();
      const float none = is_sum ? WindowKernels::kNoSum : WindowKernels::kNoMax;
      const size_t size = row.buffer_size() * lanes;
      const Buffer<float> buffer(size);
      std::fill_n(buffer.get(), size, none);
      const WindowKernels& kernels = window_kernels();
      (lanes == 1 ? is_sum ? kernels.sum : kernels.max
       : is_sum   ? kernels.sum_blocks
                  : kernels.max_blocks)(row, buffer.get());
      for (size_t i = 0; i < count; ++i) {
        for (size_t lane = 0; lane < lanes; ++lane) {
          double want = static_cast<double>(none), magnitudes = 0;
          for (size_t tap = 0; tap < taps; ++tap) {
            const size_t column = i * stride + tap * dilation + skipped - before;  // wraps around before the row
            for (size_t r = 0; column < width && r < row_count; ++r) {
              const double x = src[(static_cast<size_t>(all_rows[r]) + column) * lanes + lane];
              want = is_sum ? want + x : std::isnan(x) || std::isnan(want) ? std::nan("") : std::max(want, x);
              magnitudes += std::abs(x);
            }
          }
          const double got = dst[i * lanes + lane];
          if (is_sum) want /= static_cast<double>(divisors[i]);
          if (std::isnan(want)) {
            EXPECT_TRUE(std::isnan(got));
          } else if (is_sum) {
            EXPECT_NEAR(got, want, 1e-6 * magnitudes / static_cast<double>(divisors[i]) + 1e-7 * std::abs(want));
          } else {
            EXPECT_EQ(got, want);
          }
        }
      }
      EXPECT_EQ(dst.back(), kGuard);
    }
  }

  Random random_;
};

TEST_P(WindowTest, RandomRows) {
  for (int round = 0; round < 400; ++round) {
    const size_t lanes = round % 2 == 0 ? 1 : channel_block();
    const size_t taps = random_.integer(1, 5), dilation = random_.integer(1, 3), stride = random_.integer(1, 4);
    const size_t before = random_.integer(0, taps);
    const size_t skipped = before == 0 ? random_.integer(0, 3) : 0;
    check(lanes, random_.integer(1, 60), before, skipped, stride, dilation, taps, random_.integer(1, 50),
          random_.integer(0, 4));
    if (HasFailure()) FAIL() << "seed " << random_.seed();
  }
}

// What whole numbers give divides as a division does, and infinities stay.
TEST_P(WindowTest, QuotientsAreRoundedOnce) {
  const std::vector<int64_t> rows = {0};
  for (int divisor = 1; divisor < 130; ++divisor) {
    std::vector<float> src(64), dst(64), divisors(64, static_cast<float>(divisor));
    const std::vector<float> reciprocals(64, 1 / static_cast<float>(divisor));
    for (size_t i = 0; i < src.size(); ++i) src[i] = static_cast<float>(i * 37 + 1) * 0.37F;
    src[3] = std::numeric_limits<float>::infinity();
    WindowRow row;
    row.src = src.data();
    row.rows = rows.data();
    row.row_count = 1;
    row.width = row.count = src.size();
    row.divisors = divisors.data();
    row.reciprocals = reciprocals.data();
    row.dst = dst.data();
    const Buffer<float> buffer(row.buffer_size());
    std::fill_n(buffer.get(), row.buffer_size(), WindowKernels::kNoSum);
    window_kernels().sum(row, buffer.get());
    for (size_t i = 0; i < src.size(); ++i) EXPECT_EQ(dst[i], src[i] / divisors[i]) << src[i] << " / " << divisor;
  }
}

ONNXRUN_FOR_EACH_ISA(WindowTest);

}  // namespace
}  // namespace onnxrun::testing
