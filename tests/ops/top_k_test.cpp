#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(TopK, OrdersByValueThenPosition) {
  const Tensor data = floats({2, 4}, {3, 1, 3, 2, 0, 5, -1, 5});
  expect_op({.op = "TopK",
             .inputs = {data, integers({1}, {2})},
             .outputs = {floats({2, 2}, {3, 3, 5, 5}), integers({2, 2}, {0, 2, 1, 3})}});
  expect_op({.op = "TopK",
             .inputs = {data, integers({1}, {1})},
             .outputs = {floats({1, 4}, {0, 1, -1, 2}), integers({1, 4}, {1, 0, 1, 0})},
             .attributes = {{"axis", int64_t{0}}, {"largest", int64_t{0}}}});
  expect_op(
      {.op = "TopK", .inputs = {data, integers({1}, {0})}, .outputs = {floats({2, 0}, {}), integers({2, 0}, {})}});
  const float nan = std::numeric_limits<float>::quiet_NaN();
  expect_op({.op = "TopK",
             .inputs = {floats({3}, {1, nan, 2}), integers({1}, {2})},
             .outputs = {floats({2}, {nan, 2}), integers({2}, {1, 2})}});
}

// The best k of many by a stable sort, NaN before everything.
template <class T>
void expect_sorted(DType dtype, const std::vector<T>& values, int64_t k, bool largest) {
  const auto is_nan = [](T x) { return x != x; };
  std::vector<int64_t> order(values.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](int64_t i, int64_t j) {
    const T a = values[static_cast<size_t>(largest ? i : j)], b = values[static_cast<size_t>(largest ? j : i)];
    return is_nan(a) ? !is_nan(b) : a > b;
  });
  order.resize(static_cast<size_t>(k));
  std::vector<double> all(values.begin(), values.end()), best;
  for (const int64_t i : order) best.push_back(all[static_cast<size_t>(i)]);
  const auto n = static_cast<int64_t>(all.size());
  for (const bool columns : {false, true}) {
    const Shape shape = columns ? Shape{n, 1} : Shape{1, n}, result = columns ? Shape{k, 1} : Shape{1, k};
    expect_op({.op = "TopK",
               .inputs = {numbers(dtype, shape, all), integers({1}, {k})},
               .outputs = {numbers(dtype, result, best), integers(result, order)},
               .attributes = {{"axis", int64_t{columns ? 0 : 1}}, {"largest", int64_t{largest}}}});
  }
}

TEST(TopK, SelectsFromLongRows) {
  std::vector<float> floats;
  std::vector<int64_t> wide;
  std::vector<int8_t> narrow;
  uint32_t state = 1;
  for (int i = 0; i < 9000; ++i) {
    state = state * 1664525 + 1013904223;
    floats.push_back(static_cast<float>(static_cast<int32_t>(state) >> 16) / 64);  // some are equal
    wide.push_back(static_cast<int64_t>(state) - (int64_t{1} << 31));
    narrow.push_back(static_cast<int8_t>(state >> 24));
  }
  for (const int i : {0, 4000, 8999}) floats[static_cast<size_t>(i)] = std::numeric_limits<float>::quiet_NaN();
  floats[50] = -0.0F, floats[60] = 0, floats[70] = -std::numeric_limits<float>::infinity();
  for (const bool largest : {false, true}) {
    for (const int64_t k : {1, 10, 700, 8999, 9000}) {
      expect_sorted(DType::float32, floats, k, largest);
      expect_sorted(DType::int64, wide, k, largest);
      expect_sorted(DType::int8, narrow, k, largest);
    }
    std::vector<double> doubles(floats.begin(), floats.end());
    expect_sorted(DType::float64, doubles, 40, largest);
    std::sort(floats.begin() + 100, floats.end() - 100);  // all that come are better
    expect_sorted(DType::float32, floats, 300, largest);
  }
  expect_sorted(DType::float32, std::vector<float>(5000, std::numeric_limits<float>::quiet_NaN()), 10, true);
}

TEST(TopK, RefusesMoreThanThereIs) {
  expect_op_error({.op = "TopK",
                   .inputs = {floats({1}, {1}), integers({1}, {2})},
                   .outputs = {floats({1}, {1}), integers({1}, {0})}},
                  ErrorCode::run_failed, "k is 2");
}

}  // namespace
}  // namespace onnxrun
