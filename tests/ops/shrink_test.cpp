#include <gtest/gtest.h>

#include <limits>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

void expect_shrunk(const Tensor& x, const Tensor& y, float lambd, float bias) {
  expect_op(
      {.op = "Shrink", .inputs = {x}, .outputs = {y}, .attributes = {{"lambd", lambd}, {"bias", bias}}, .opset = 9});
}

TEST(Shrink, MovesWhatIsLargeAndDropsTheRest) {
  for (const DType dtype : {DType::float16, DType::float32, DType::float64}) {
    expect_shrunk(numbers(dtype, {6}, {-2, -1.5, -1, 0, 1.5, 2}), numbers(dtype, {6}, {-0.5, 0, 0, 0, 0, 0.5}), 1.5F,
                  1.5F);
    expect_op({.op = "Shrink",
               .inputs = {numbers(dtype, {4}, {-2, -0.5, 0.5, 0.75})},
               .outputs = {numbers(dtype, {4}, {-2, 0, 0, 0.75})},
               .opset = 9});
  }
  expect_shrunk(numbers(DType::float32, {1}, {std::numeric_limits<double>::quiet_NaN()}), floats({1}, {0}), 1, 0);
  expect_shrunk(floats({0}, {}), floats({0}, {}), 1, 0);
}

TEST(Shrink, CutsAndSaturatesIntegers) {
  expect_shrunk(numbers(DType::int8, {5}, {-128, -3, 1, 3, 127}), numbers(DType::int8, {5}, {-126, -1, 0, 1, 125}),
                1.5F, 1.5F);
  expect_shrunk(numbers(DType::uint8, {3}, {1, 2, 200}), numbers(DType::uint8, {3}, {0, 0, 100}), 1, 100);
  constexpr int64_t kLarge = (int64_t{1} << 62) + 1;
  expect_shrunk(integers({2}, {kLarge, -kLarge}), integers({2}, {kLarge, -kLarge}), 0, 0);
}

}  // namespace
}  // namespace onnxrun
