#include "kernels/reduce/reduce.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "kernels/kernel_test.h"

namespace onnxrun::testing {
namespace {

using ReduceTest = IsaTest;
ONNXRUN_FOR_EACH_ISA(ReduceTest);

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

double larger(double a, double b) { return std::isnan(a) || std::isnan(b) ? std::nan("") : std::max(a, b); }
double smaller(double a, double b) { return std::isnan(a) || std::isnan(b) ? std::nan("") : std::min(a, b); }

// What joins an element to a total, the total to begin with, and the error for each element.
template <class Total>
struct Reduction {
  ReduceKernels::Functions<Total> ReduceKernels::*functions;
  std::function<double(double, double)> join;
  Total start;
  double error;
};

// Near 1 in magnitude, so that products stay.
std::vector<float> numbers(size_t n) {
  std::vector<float> values(n);
  for (size_t i = 0; i < n; ++i) {
    const double x = std::sin(static_cast<double>(i * i + 1));
    values[i] = static_cast<float>(x < 0 ? x / 5 - 0.9 : x / 5 + 0.9);
  }
  return values;
}
template <class Total>
void check(const Reduction<Total>& reduction, bool with_nan) {
  const auto& functions = reduce_kernels().*reduction.functions;
  const auto expect = [&](double got, double want, double scale, const char* what, size_t rows, size_t n) {
    const bool both_nan = std::isnan(got) && std::isnan(want);
    EXPECT_TRUE(both_nan || std::abs(got - want) <= reduction.error * scale)
        << what << " " << rows << " x " << n << ": " << got << ", not " << want;
  };
  for (size_t n = 0; n < 140; ++n) {
    auto src = numbers(n);
    if (with_nan && n > 0) src[n * 2 / 3] = kNan;
    Total total = reduction.start;
    double want = static_cast<double>(reduction.start);
    for (const float x : src) want = reduction.join(want, static_cast<double>(x));
    functions.row(total, src.data(), n);
    expect(static_cast<double>(total), want, static_cast<double>(n), "row", 1, n);
  }
  for (const size_t rows : {0, 1, 7, 8, 9, 16, 21}) {
    for (const size_t n : {0, 1, 3, 4, 8, 15, 16, 17, 33, 70}) {
      const size_t step = n + 3;
      auto src = numbers(rows * step);
      if (with_nan && rows > 0) src[rows / 2 * step] = kNan;
      std::vector<Total> totals(n + 1, reduction.start);
      functions.columns(totals.data(), src.data(), static_cast<ptrdiff_t>(step), rows, n);
      for (size_t j = 0; j < n; ++j) {
        double want = static_cast<double>(reduction.start);
        for (size_t r = 0; r < rows; ++r) want = reduction.join(want, static_cast<double>(src[r * step + j]));
        expect(static_cast<double>(totals[j]), want, static_cast<double>(rows), "columns", rows, n);
      }
      EXPECT_EQ(totals[n], reduction.start);
    }
  }
}

TEST_P(ReduceTest, AgreesWithPlainLoops) {
  constexpr double kExact = 1e-14;  // but for the order in double
  constexpr double kFloat = 5e-7;   // columns are added in float, a few at a time
  for (const bool with_nan : {false, true}) {
    check<double>({&ReduceKernels::sum, std::plus<>(), 3, kFloat}, with_nan);
    check<double>({&ReduceKernels::magnitudes, [](double t, double x) { return t + std::abs(x); }, 3, kExact},
                  with_nan);
    check<double>({&ReduceKernels::squares, [](double t, double x) { return t + x * x; }, 3, kExact}, with_nan);
    check<double>({&ReduceKernels::product, std::multiplies<>(), 1, kExact}, with_nan);
    check<float>({&ReduceKernels::max, larger, -0.5F, 0}, with_nan);
    check<float>({&ReduceKernels::min, smaller, 0.5F, 0}, with_nan);
  }
}

TEST_P(ReduceTest, SquaresOfLargeNumbersAreFinite) {
  const std::vector<float> src(20, 1e30F);
  double total = 0;
  reduce_kernels().squares.row(total, src.data(), src.size());
  EXPECT_NEAR(total, 2e61, 1e55);
}

}  // namespace
}  // namespace onnxrun::testing
