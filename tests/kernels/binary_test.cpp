#include "kernels/binary/binary.h"

#include <limits>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernels/kernel_test.h"

namespace onnxrun::testing {
namespace {

using BinaryTest = IsaTest;
ONNXRUN_FOR_EACH_ISA(BinaryTest);

// Values where operations differ from plain arithmetic, and ordinary ones, in an order that pairs them all differently.
template <class T>
std::vector<T> operand(size_t n, size_t step) {
  using Limits = std::numeric_limits<T>;
  std::vector<T> values = {T(0), T(1), T(-1), Limits::max(), Limits::lowest(), T(7), T(3), T(100), T(-5), T(2), T(-77)};
  if constexpr (std::is_floating_point_v<T>) {
    for (const T x : {T(-0.0), Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN(), T(0.1), T(-2.75)}) {
      values.push_back(x);
    }
  }
  std::vector<T> result(n);
  for (size_t i = 0; i < n; ++i) result[i] = values[(i * step + i / values.size()) % values.size()];
  return result;
}

// Exact in a type twice as wide, then rounded or wrapped.
template <class T>
using Wide = std::conditional_t<std::is_floating_point_v<T>, long double, __int128>;

template <class T>
T expected(BinaryKind kind, T x, T y) {
  const Wide<T> a = x, b = y;
  const bool nan = a != a || b != b;
  const auto number = [](Wide<T> wide) { return static_cast<T>(wide); };
  const auto quotient = [&]() -> Wide<T> {
    if constexpr (std::is_floating_point_v<T>) return a / b;
    return b == 0 ? Wide<T>(0) : a / (b == 0 ? Wide<T>(1) : b);
  };
  switch (kind) {
    case BinaryKind::add:
      return number(a + b);
    case BinaryKind::sub:
      return number(a - b);
    case BinaryKind::mul:
      return number(a * b);
    case BinaryKind::div:
      return number(quotient());
    case BinaryKind::max:
      return nan ? std::numeric_limits<T>::quiet_NaN() : number(a < b ? b : a);
    case BinaryKind::min:
      return nan ? std::numeric_limits<T>::quiet_NaN() : number(b < a ? b : a);
    case BinaryKind::prelu:
      return number(a < 0 ? a * b : a);
    case BinaryKind::equal:
      return a == b;
    case BinaryKind::less:
      return a < b;
    case BinaryKind::less_or_equal:
      return a <= b;
    case BinaryKind::greater:
      return a > b;
    case BinaryKind::greater_or_equal:
      return a >= b;
  }
  return 0;
}

template <class T, class Result>
void check_row(BinaryKind kind, DType dtype, size_t n, ptrdiff_t a_step, ptrdiff_t b_step) {
  constexpr Result kGuard = 77;
  const auto a = operand<T>(n, 1);
  const auto b = operand<T>(n, 5);
  for (size_t shift = 0; shift < (a_step == 0 || b_step == 0 ? n : 1); ++shift) {
    const T* x = a.data() + (a_step == 0 ? shift : 0);
    const T* y = b.data() + (b_step == 0 ? shift : 0);
    std::vector<Result> out(n + 1, kGuard);
    binary_row(kind, dtype)(x, a_step, y, b_step, out.data(), n);
    for (size_t i = 0; i < n; ++i) {
      const T left = x[a_step == 0 ? 0 : i], right = y[b_step == 0 ? 0 : i];
      const T want = expected<T>(kind, left, right);
      const auto got = static_cast<T>(out[i]);
      ASSERT_TRUE(got == want || (got != got && want != want))
          << "kind " << static_cast<int>(kind) << " of " << left << " and " << right << ": " << got << ", not " << want;
    }
    ASSERT_EQ(out[n], kGuard);
  }
}

template <class T>
void check(DType dtype) {
  for (int k = 0; k < kBinaryKindCount; ++k) {
    const auto kind = static_cast<BinaryKind>(k);
    for (const size_t n : {0, 1, 3, 15, 16, 17, 31, 33, 64, 101}) {
      for (const auto& [a_step, b_step] :
           std::initializer_list<std::pair<ptrdiff_t, ptrdiff_t>>{{1, 1}, {1, 0}, {0, 1}}) {
        if (kind < BinaryKind::equal) {
          check_row<T, T>(kind, dtype, n, a_step, b_step);
        } else {
          check_row<T, uint8_t>(kind, dtype, n, a_step, b_step);
        }
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(BinaryTest, Float32) { check<float>(DType::float32); }
TEST_P(BinaryTest, Int32) { check<int32_t>(DType::int32); }
TEST_P(BinaryTest, Int64) { check<int64_t>(DType::int64); }

TEST_P(BinaryTest, OutputMayBeAnOperand) {
  const auto a = operand<int32_t>(53, 1);
  const auto b = operand<int32_t>(53, 5);
  auto left = a, right = b;
  const auto sub = binary_row(BinaryKind::sub, DType::int32);
  sub(left.data(), 1, b.data(), 1, left.data(), a.size());
  sub(a.data(), 1, right.data(), 1, right.data(), a.size());
  for (size_t i = 0; i < a.size(); ++i) {
    const auto want = static_cast<int32_t>(int64_t{a[i]} - b[i]);
    EXPECT_EQ(left[i], want) << i;
    EXPECT_EQ(right[i], want) << i;
  }
}

}  // namespace
}  // namespace onnxrun::testing
