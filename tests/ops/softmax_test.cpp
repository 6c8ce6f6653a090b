#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

// By the definition, in double.
std::vector<float> softmax(const std::vector<float>& x, int64_t extent, int64_t inner, bool logarithm) {
  std::vector<float> result(x.size());
  const int64_t outer = static_cast<int64_t>(x.size()) / extent / inner;
  for (int64_t row = 0; row < outer * inner; ++row) {
    const auto at = [&](int64_t k) { return static_cast<size_t>((row / inner * extent + k) * inner + row % inner); };
    double largest = -std::numeric_limits<double>::infinity(), sum = 0;
    for (int64_t k = 0; k < extent; ++k) largest = std::fmax(largest, static_cast<double>(x[at(k)]));
    for (int64_t k = 0; k < extent; ++k) sum += std::exp(static_cast<double>(x[at(k)]) - largest);
    for (int64_t k = 0; k < extent; ++k) {
      const double shifted = static_cast<double>(x[at(k)]) - largest;
      result[at(k)] = static_cast<float>(logarithm ? shifted - std::log(sum) : std::exp(shifted) / sum);
    }
  }
  return result;
}

TEST(Softmax, WorksAlongEveryAxis) {
  const Shape shape = {3, 7, 75};
  std::vector<float> x(3 * 7 * 75);
  for (size_t i = 0; i < x.size(); ++i) x[i] = 30 * std::sin(static_cast<float>(i * i));
  x[40] = -std::numeric_limits<float>::infinity();
  for (const bool logarithm : {false, true}) {
    for (int64_t axis = 0; axis < 3; ++axis) {
      const auto a = static_cast<size_t>(axis);
      expect_op({.op = logarithm ? "LogSoftmax" : "Softmax",
                 .inputs = {floats(shape, x)},
                 .outputs = {floats(shape, softmax(x, shape[a], shape.elements(a + 1, 3), logarithm))},
                 .attributes = {{"axis", axis}},
                 .relative = 4e-6,  // the difference to the largest element is rounded
                 .absolute = logarithm ? 2e-6 : 1e-38});
    }
  }
}

TEST(Softmax, NanAndMaskedColumns) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), low = -std::numeric_limits<float>::infinity();
  expect_op({.op = "Softmax",
             .inputs = {floats({2, 3}, {nan, low, 1, 1, 5, low})},
             .outputs = {floats({2, 3}, {nan, 0, 1, nan, 1, 0})},
             .attributes = {{"axis", int64_t{0}}}});
}

TEST(Softmax, NothingAlongTheAxis) {
  expect_op({.op = "Softmax",
             .inputs = {floats({0, 3}, {})},
             .outputs = {floats({0, 3}, {})},
             .attributes = {{"axis", int64_t{0}}}});
}

}  // namespace
}  // namespace onnxrun
