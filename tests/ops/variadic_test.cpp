#include <gtest/gtest.h>

#include <limits>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Variadic, FoldsAnyNumberOfInputs) {
  const Tensor a = floats({2, 1}, {1, 5});
  const Tensor b = floats({2}, {2, 4});
  const Tensor c = floats({}, {3});
  expect_op({.op = "Max", .inputs = {a, b, c}, .outputs = {floats({2, 2}, {3, 4, 5, 5})}});
  expect_op({.op = "Min", .inputs = {a, b, c}, .outputs = {floats({2, 2}, {1, 1, 2, 3})}});
  expect_op({.op = "Sum", .inputs = {a, b, c}, .outputs = {floats({2, 2}, {6, 8, 10, 12})}});
  expect_op({.op = "Mean", .inputs = {a, b}, .outputs = {floats({2, 2}, {1.5F, 2.5F, 3.5F, 4.5F})}});
  expect_op({.op = "Sum", .inputs = {a}, .outputs = {a}});
  expect_op({.op = "Max",
             .inputs = {numbers(DType::uint64, {2}, {1, 0x1p63}), numbers(DType::uint64, {}, {2})},
             .outputs = {numbers(DType::uint64, {2}, {2, 0x1p63})}});
}

// 2048 + 1 + 1 is 2050 only where the sum is rounded once.
TEST(Variadic, RoundsSumsOfHalvesOnce) {
  const auto half = [](double value) { return numbers(DType::float16, {1}, {value}); };
  expect_op({.op = "Sum", .inputs = {half(2048), half(1), half(1)}, .outputs = {half(2050)}});
}

TEST(Variadic, LetsNanWin) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const char* op : {"Max", "Min"}) {
    expect_op(
        {.op = op, .inputs = {floats({2}, {nan, 1}), floats({2}, {1, nan})}, .outputs = {floats({2}, {nan, nan})}});
    expect_op({.op = op,
               .inputs = {floats({2}, {nan, 1}), floats({2}, {1, nan}), floats({}, {2})},
               .outputs = {floats({2}, {nan, nan})}});
  }
}

}  // namespace
}  // namespace onnxrun
