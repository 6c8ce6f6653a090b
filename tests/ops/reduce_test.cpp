#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

TEST(Reduce, ReducesAnyAxes) {
  const Tensor data = floats({2, 3}, {1, -2, 3, 4, 5, -6});
  const auto expect = [&](const char* op, const std::vector<double>& rows, const std::vector<double>& columns) {
    expect_op({.op = op,
               .inputs = {data, integers({1}, {1})},
               .outputs = {numbers(DType::float32, {2, 1}, rows)},
               .relative = 1e-6});
    expect_op({.op = op,
               .inputs = {data, integers({1}, {-2})},
               .outputs = {numbers(DType::float32, {3}, columns)},
               .attributes = {{"keepdims", int64_t{0}}},
               .relative = 1e-6});
  };
  expect("ReduceSum", {2, 3}, {5, 3, -3});
  expect("ReduceMean", {2.0 / 3, 1}, {2.5, 1.5, -1.5});
  expect("ReduceMax", {3, 5}, {4, 5, 3});
  expect("ReduceMin", {-2, -6}, {1, -2, -6});
  expect("ReduceProd", {-6, -120}, {4, -10, -18});
  expect("ReduceL1", {6, 15}, {5, 7, 9});
  expect("ReduceL2", {std::sqrt(14.0), std::sqrt(77.0)}, {std::sqrt(17.0), std::sqrt(29.0), std::sqrt(45.0)});
  expect("ReduceSumSquare", {14, 77}, {17, 29, 45});
  expect("ReduceLogSum", {std::log(2.0), std::log(3.0)}, {std::log(5.0), std::log(3.0), std::nan("")});
  const auto lse = [](double a, double b) { return std::log(std::exp(a) + std::exp(b)); };
  expect("ReduceLogSumExp",
         {std::log(std::exp(1) + std::exp(-2) + std::exp(3)), std::log(std::exp(4) + std::exp(5) + std::exp(-6))},
         {lse(1, 4), lse(-2, 5), lse(3, -6)});
}

TEST(Reduce, ManyShortRows) {
  for (const int64_t length : {1, 2, 3, 4, 8, 9}) {
    for (const int64_t rows : {1, 255, 256, 700}) {
      const Tensor source = random_floats({rows, length}, static_cast<uint32_t>(rows * length));
      std::vector<double> x(source.values<float>().begin(), source.values<float>().end());
      std::vector<double> sums, least;
      for (auto row = x.begin(); row != x.end(); row += length) {
        sums.push_back(std::accumulate(row, row + length, 0.0));
        least.push_back(*std::min_element(row, row + length));
      }
      const auto expect = [&](const char* op, const std::vector<double>& y) {
        expect_op({.op = op,
                   .inputs = {source, integers({1}, {1})},
                   .outputs = {numbers(DType::float32, {rows}, y)},
                   .attributes = {{"keepdims", int64_t{0}}},
                   .absolute = 1e-5});
      };
      expect("ReduceSum", sums);
      expect("ReduceMin", least);
    }
  }
  // Rows of two axes, and rows that do not follow each other.
  const Tensor maps = numbers(DType::int32, {2, 2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16});
  const auto expect_sums = [&](const std::vector<int64_t>& axes, const Shape& shape, const std::vector<double>& y) {
    expect_op({.op = "ReduceSum",
               .inputs = {maps, integers({static_cast<int64_t>(axes.size())}, axes)},
               .outputs = {numbers(DType::int32, shape, y)}});
  };
  expect_sums({2, 3}, {2, 2, 1, 1}, {10, 26, 42, 58});
  expect_sums({1, 3}, {2, 1, 2, 1}, {14, 22, 46, 54});
}

TEST(Reduce, FollowsTheAttributeOfEmptyAxes) {
  const Tensor data = floats({2}, {-3, 4});
  expect_op({.op = "ReduceSum", .inputs = {data}, .outputs = {floats({1}, {1})}});
  expect_op({.op = "ReduceSum",
             .inputs = {data, integers({0}, {})},
             .outputs = {data},
             .attributes = {{"noop_with_empty_axes", int64_t{1}}}});
  expect_op({.op = "ReduceSum", .inputs = {floats({}, {5})}, .outputs = {floats({}, {5})}});
  expect_op({.op = "ReduceMax",
             .inputs = {data},
             .outputs = {floats({1}, {4})},
             .attributes = {{"axes", std::vector<int64_t>{0}}},
             .opset = 1});
}

TEST(Reduce, GivesNeutralElementsForNothing) {
  const auto expect = [](const char* op, DType dtype, double value) {
    expect_op({.op = op,
               .inputs = {Tensor(dtype, {2, 0}), integers({1}, {1})},
               .outputs = {numbers(dtype, {2, 1}, {value, value})}});
  };
  expect("ReduceSum", DType::float32, 0);
  expect("ReduceProd", DType::int32, 1);
  expect("ReduceMax", DType::float16, -kInf);
  expect("ReduceMin", DType::int32, INT32_MAX);
  expect("ReduceLogSumExp", DType::float32, -kInf);
  expect("ReduceMean", DType::float32, std::nan(""));
}

TEST(Reduce, KeepsLargeExponentsAndNan) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  expect_op({.op = "ReduceLogSumExp",
             .inputs = {floats({2}, {1000, 1000})},
             .outputs = {numbers(DType::float32, {1}, {1000 + std::log(2.0)})},
             .relative = 1e-6});
  expect_op({.op = "ReduceLogSumExp",
             .inputs = {numbers(DType::float32, {2}, {-kInf, kInf})},
             .outputs = {numbers(DType::float32, {1}, {kInf})}});
  expect_op({.op = "ReduceMax", .inputs = {floats({3}, {1, nan, 3})}, .outputs = {floats({1}, {nan})}});
  expect_op({.op = "ReduceMin", .inputs = {floats({3}, {1, nan, 3})}, .outputs = {floats({1}, {nan})}});
  std::vector<float> row(67);
  for (size_t at = 0; at < row.size(); at += 6) {
    std::fill(row.begin(), row.end(), 1.0f);
    row[at] = nan;
    for (const char* op : {"ReduceMax", "ReduceMin"}) {
      expect_op({.op = op, .inputs = {floats({67}, row)}, .outputs = {floats({1}, {nan})}});
    }
  }
  expect_op({.op = "ReduceMin",
             .inputs = {numbers(DType::boolean, {2}, {1, 0})},
             .outputs = {numbers(DType::boolean, {1}, {0})}});
}

// Large enough for several tiles and for a plain sum of floats to go wrong.
TEST(Reduce, AddsAccurately) {
  const Tensor data = random_floats({64, 5000}, 7);
  std::vector<double> rows(64);
  std::vector<double> columns(5000);
  for (size_t r = 0; r < 64; ++r) {
    for (size_t c = 0; c < 5000; ++c) {
      rows[r] += static_cast<double>(data.values<float>()[r * 5000 + c]);
      columns[c] += static_cast<double>(data.values<float>()[r * 5000 + c]);
    }
  }
  expect_op({.op = "ReduceSum",
             .inputs = {data, integers({1}, {1})},
             .outputs = {numbers(DType::float32, {64, 1}, rows)},
             .absolute = 2e-5});
  expect_op({.op = "ReduceSum",
             .inputs = {data, integers({1}, {0})},
             .outputs = {numbers(DType::float32, {1, 5000}, columns)},
             .absolute = 1e-6});
}

}  // namespace
}  // namespace onnxrun
