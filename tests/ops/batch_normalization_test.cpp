#include <gtest/gtest.h>

#include <cmath>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

constexpr double kEpsilon = 1e-5;

// (x - mean) / sqrt(variance + epsilon) * scale + bias for [n, c, inner].
void expect(const Shape& shape, DType dtype, int64_t opset = 15) {
  const int64_t channels = shape[1];
  const int64_t inner = shape.elements(2, shape.rank());
  const auto vector = [&](double first, double step) {
    std::vector<double> values;
    for (int64_t c = 0; c < channels; ++c) values.push_back(first + step * static_cast<double>(c % 8));
    return values;
  };
  const auto scale = vector(0.5, 0.25), bias = vector(-1, 0.5), mean = vector(0.25, -0.125), variance = vector(0.5, 1);
  const Tensor source = random_floats(shape, 7);
  const std::vector<double> x(source.values<float>().begin(), source.values<float>().end());
  std::vector<double> y;
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t c = i / static_cast<size_t>(inner) % static_cast<size_t>(channels);
    y.push_back((x[i] - mean[c]) / std::sqrt(variance[c] + kEpsilon) * scale[c] + bias[c]);
  }
  const Shape statistics{channels};
  const double tolerance = dtype == DType::float16 ? 1e-2 : 1e-5;
  expect_op({.op = "BatchNormalization",
             .inputs = {numbers(dtype, shape, x), numbers(dtype, statistics, scale), numbers(dtype, statistics, bias),
                        numbers(dtype, statistics, mean), numbers(dtype, statistics, variance)},
             .outputs = {numbers(dtype, shape, y)},
             .attributes = {{"epsilon", static_cast<float>(kEpsilon)}},
             .opset = opset,
             .relative = tolerance,
             .absolute = tolerance});
}

TEST(BatchNormalization, MapsOfAnyRank) {
  for (const DType dtype : {DType::float32, DType::float64, DType::float16}) {
    expect({2, 3, 4, 5}, dtype);
    expect({2, 9, 1, 1}, dtype);
    expect({3, 2, 70}, dtype);
    expect({2, 3, 0}, dtype);
  }
}

TEST(BatchNormalization, RowsOfFeatures) {
  for (const DType dtype : {DType::float32, DType::float64, DType::float16}) {
    for (const int64_t channels : {1, 7, 8, 37}) expect({5, channels}, dtype);
    expect({0, 3}, dtype);
  }
  expect({300, 200}, DType::float32, 9);
}

}  // namespace
}  // namespace onnxrun
