#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

using Attributes = ModelBuilder::Attributes;

Attributes sampling(const std::string& mode, const std::string& padding = "zeros", bool align_corners = false) {
  return {{"mode", mode}, {"padding_mode", padding}, {"align_corners", int64_t{align_corners ? 1 : 0}}};
}

TEST(GridSample, SamplesOneAxis) {
  // Four pixels; the coordinate n lies at ((n + 1) 4 - 1) / 2, or at (n + 1) 3 / 2 with align_corners.
  const Tensor x = floats({1, 1, 4}, {8, 16, 32, 64});
  const auto expect = [&](const Attributes& attributes, const std::vector<float>& grid,
                          const std::vector<float>& expected) {
    const auto n = static_cast<int64_t>(grid.size());
    expect_op({.op = "GridSample",
               .inputs = {x, floats({1, n, 1}, grid)},
               .outputs = {floats({1, 1, n}, expected)},
               .attributes = attributes});
  };
  // Positions -1/2, 1/4, 3/2, 7/2, 11/2.
  const std::vector<float> grid = {-1, -0.625F, 0, 1, 2};
  expect(sampling("linear"), grid, {4, 10, 24, 32, 0});
  expect(sampling("linear", "border"), grid, {8, 10, 24, 64, 64});
  expect(sampling("linear", "reflection"), grid, {8, 10, 24, 64, 24});
  // Halves go to the even pixel: -0, 0, 2, 4, 6.
  expect(sampling("nearest"), grid, {8, 8, 32, 0, 0});
  expect(sampling("nearest", "border"), grid, {8, 8, 32, 64, 64});
  expect(sampling("nearest", "reflection"), grid, {8, 8, 32, 64, 16});
  // Keys' weights at 1/2 are -3/32 and 19/32.
  expect(sampling("cubic"), {0}, {(-3 * 8 + 19 * 16 + 19 * 32 - 3 * 64) / 32.0F});
  expect(sampling("cubic"), {1}, {(-3 * 32 + 19 * 64) / 32.0F});
  // Positions -1 and 4.5 with aligned corners, which reflect to 1 and 1.5.
  expect(sampling("linear", "reflection", true), {-5 / 3.0F, 2}, {16, 24});
  expect(sampling("linear", "zeros", true), {-1, 1, 0, 4}, {8, 64, 24, 0});
  // What is no finite number counts as -1, what is far away is outside.
  const float infinity = std::numeric_limits<float>::infinity();
  expect(sampling("linear", "border"), {infinity, std::nanf(""), 1e30F, -1e30F}, {8, 8, 64, 8});
  expect(sampling("linear"), {-infinity, 1e30F}, {4, 0});
}

// Every tap of N-linear and N-cubic sampling without padding, in double precision.
std::vector<double> reference(const Tensor& x, const Tensor& grid, bool is_cubic) {
  const size_t rank = x.shape().rank() - 2;
  const int64_t size = x.shape().elements(2, rank + 2);
  const int64_t positions = grid.shape().elements(1, rank + 1);
  const int64_t channels = x.shape()[1];
  std::vector<double> y;
  for (int64_t i = 0; i < x.shape()[0] * channels * positions; ++i) {
    const int64_t n = i / positions / channels;
    double sum = 0;
    for (int64_t pixel = 0; pixel < size; ++pixel) {
      double weight = 1;
      int64_t rest = pixel;
      for (size_t axis = rank; axis-- > 0;) {
        const int64_t extent = x.shape()[axis + 2];
        const auto at =
            static_cast<size_t>((n * positions + i % positions) * static_cast<int64_t>(rank)) + rank - 1 - axis;
        const double center =
            ((static_cast<double>(grid.values<float>()[at]) + 1) * static_cast<double>(extent) - 1) / 2;
        const double d = std::fabs(center - static_cast<double>(rest % extent));
        rest /= extent;
        if (!is_cubic) {
          weight *= std::max(0.0, 1 - d);
        } else {
          weight *= d <= 1  ? 1.25 * d * d * d - 2.25 * d * d + 1
                    : d < 2 ? -0.75 * (d * d * d - 5 * d * d + 8 * d - 4)
                            : 0;
        }
      }
      sum += weight * static_cast<double>(x.values<float>()[static_cast<size_t>(i / positions * size + pixel)]);
    }
    y.push_back(sum);
  }
  return y;
}

void expect_reference(const Shape& x_shape, const Shape& grid_shape, bool is_cubic, DType dtype, int64_t opset) {
  const Tensor x = random_floats(x_shape, 11);
  const Tensor grid = random_floats(grid_shape, 12);
  Shape y_shape = x_shape;
  for (size_t axis = 2; axis < y_shape.rank(); ++axis) y_shape[axis] = grid_shape[axis - 1];
  const bool is_half = dtype == DType::float16 || dtype == DType::bfloat16;
  const auto as = [&](const Tensor& tensor) {
    return numbers(dtype, tensor.shape(), {tensor.values<float>().begin(), tensor.values<float>().end()});
  };
  expect_op({.op = "GridSample",
             .inputs = {as(x), is_half ? grid : as(grid)},
             .outputs = {numbers(dtype, y_shape, reference(x, grid, is_cubic))},
             .attributes = {{"mode", std::string(opset < 20 ? (is_cubic ? "bicubic" : "bilinear")
                                                            : (is_cubic ? "cubic" : "linear"))}},
             .opset = opset,
             .relative = is_half ? 2e-2 : 1e-5,
             .absolute = is_half ? 2e-2 : 1e-5});
}

TEST(GridSample, SamplesAnyRankAndType) {
  for (const bool is_cubic : {false, true}) {
    expect_reference({2, 3, 5, 7}, {2, 6, 8, 2}, is_cubic, DType::float32, 16);
    expect_reference({2, 2, 4, 3, 5}, {2, 3, 2, 4, 3}, is_cubic, DType::float32, 20);
    for (const DType dtype : {DType::float64, DType::float16, DType::bfloat16}) {
      expect_reference({1, 2, 4, 5}, {1, 3, 3, 2}, is_cubic, dtype, 22);
    }
  }
}

TEST(GridSample, CutsIntegersOffAndMovesStrings) {
  // Half way between 1 and 4, and between -1 and -4.
  for (const DType dtype : {DType::int8, DType::int32, DType::int64}) {
    expect_op({.op = "GridSample",
               .inputs = {numbers(dtype, {1, 2, 2}, {1, 4, -1, -4}), floats({1, 1, 1}, {0})},
               .outputs = {numbers(dtype, {1, 2, 1}, {2, -2})}});
  }
  expect_op({.op = "GridSample",
             .inputs = {strings({1, 1, 2}, {"a", "b"}), numbers(DType::float64, {1, 3, 1}, {-0.5, 0.5, 5})},
             .outputs = {strings({1, 1, 3}, {"a", "b", ""})},
             .attributes = sampling("nearest")});
  const float pixels[] = {1, 2, 3, 6};
  const float between[] = {2, 4};
  expect_op({.op = "GridSample",
             .inputs = {Tensor::of<float>(DType::complex64, {1, 1, 2}, pixels), floats({1, 1, 1}, {0})},
             .outputs = {Tensor::of<float>(DType::complex64, {1, 1, 1}, between)}});
}

TEST(GridSample, TakesEmptyTensors) {
  expect_op({.op = "GridSample",
             .inputs = {floats({1, 2, 3}, {1, 2, 3, 4, 5, 6}), floats({1, 0, 1}, {})},
             .outputs = {floats({1, 2, 0}, {})}});
  expect_op({.op = "GridSample",
             .inputs = {floats({1, 1, 0}, {}), floats({1, 1, 1}, {0})},
             .outputs = {floats({1, 1, 1}, {0})},
             .attributes = sampling("linear", "reflection")});
}

TEST(GridSample, RefusesWhatDoesNotFit) {
  const Tensor x = floats({1, 1, 2}, {1, 2});
  const Value y = floats({1, 1, 1}, {1});
  expect_op_error({.op = "GridSample", .inputs = {x, floats({1, 1, 2}, {0, 0})}, .outputs = {y}},
                  ErrorCode::invalid_model, "a grid of shape [1,1,2]");
  expect_op_error({.op = "GridSample", .inputs = {x, floats({1, 1, 1}, {0})}, .outputs = {y}, .opset = 16},
                  ErrorCode::invalid_model, "rank 3");
  expect_op_error({.op = "GridSample", .inputs = {strings({1, 1, 1}, {"a"}), floats({1, 1, 1}, {0})}, .outputs = {y}},
                  ErrorCode::invalid_model, "strings");
}

}  // namespace
}  // namespace onnxrun
