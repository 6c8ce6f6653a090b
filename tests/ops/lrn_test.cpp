#include <gtest/gtest.h>

#include <cmath>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

struct Parameters {
  int64_t size = 1;
  float alpha = 0.0001F, beta = 0.75F, bias = 1;
};

// The formula of the specification for [n, c, inner].
std::vector<double> reference(const std::vector<double>& x, int64_t n, int64_t c, int64_t inner, const Parameters& p) {
  std::vector<double> y;
  for (int64_t i = 0; i < n * c * inner; ++i) {
    const int64_t channel = i / inner % c;
    double sum = 0;
    for (int64_t k = 0; k < c; ++k) {
      if (k < channel - (p.size - 1) / 2 || k > channel + p.size / 2) continue;
      const double value = x[static_cast<size_t>(i + (k - channel) * inner)];
      sum += value * value;
    }
    const double scale = static_cast<double>(p.bias) + static_cast<double>(p.alpha) / static_cast<double>(p.size) * sum;
    y.push_back(x[static_cast<size_t>(i)] / std::pow(scale, static_cast<double>(p.beta)));
  }
  return y;
}

void expect(const Shape& shape, const Parameters& p, DType dtype = DType::float32, int64_t opset = 13) {
  const Tensor source = random_floats(shape, 5);
  const std::vector<double> x(source.values<float>().begin(), source.values<float>().end());
  const auto y = reference(x, shape[0], shape[1], shape.elements(2, shape.rank()), p);
  const bool is_half = dtype == DType::float16 || dtype == DType::bfloat16;
  expect_op({.op = "LRN",
             .inputs = {numbers(dtype, shape, x)},
             .outputs = {numbers(dtype, shape, y)},
             .attributes = {{"size", p.size}, {"alpha", p.alpha}, {"beta", p.beta}, {"bias", p.bias}},
             .opset = opset,
             .relative = is_half                   ? 2e-2
                         : dtype == DType::float64 ? 1e-12
                                                   : 2e-6});
}

TEST(LRN, NormalisesAcrossChannels) {
  expect({2, 7, 5, 3}, {3, 0.5F, 0.75F, 1.5F});
  expect({1, 5, 700}, {4, 2, 0.5F, 0.5F});  // an even region reaches further up
  expect({1, 3, 2, 2, 2}, {9, 1, 1.25F, 2});
  expect({3, 4}, {1, 1, 0.75F, 1}, DType::float32, 1);
}

TEST(LRN, TakesEveryType) {
  for (const DType dtype : {DType::float16, DType::bfloat16, DType::float64}) {
    expect({2, 5, 6}, {3, 0.5F, 0.75F, 1}, dtype);
    expect({2, 5, 6}, {3, 0.5F, 2, 1}, dtype);
  }
}

TEST(LRN, TakesEmptyTensorsAndRefusesScalars) {
  expect_op({.op = "LRN",
             .inputs = {floats({2, 3, 0}, {})},
             .outputs = {floats({2, 3, 0}, {})},
             .attributes = {{"size", int64_t{3}}}});
  expect_op_error({.op = "LRN",
                   .inputs = {floats({2}, {1, 2})},
                   .outputs = {floats({2}, {1, 2})},
                   .attributes = {{"size", int64_t{3}}}},
                  ErrorCode::invalid_model, "rank 1");
  expect_op_error({.op = "LRN", .inputs = {floats({1, 1}, {1})}, .outputs = {floats({1, 1}, {1})}},
                  ErrorCode::invalid_model, "size");
}

}  // namespace
}  // namespace onnxrun
