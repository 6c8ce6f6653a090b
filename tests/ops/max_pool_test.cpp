#include <gtest/gtest.h>

#include <limits>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

using Integers = std::vector<int64_t>;

// floor((input + pads - window) / stride) + 1 = 0.
TEST(Pools, HaveNoOutputsWhereTheWindowIsTooLargeByLessThanAStride) {
  const Tensor x = numbers(DType::float32, {1, 2, 1, 3}, {1, 2, 3, 4, 5, 6});
  for (const char* op : {"MaxPool", "AveragePool", "LpPool"}) {
    expect_op({.op = op,
               .inputs = {x},
               .outputs = {numbers(DType::float32, {1, 2, 0, 1}, {})},
               .attributes = {{"kernel_shape", Integers{2, 3}}}});
    expect_op_error({.op = op,
                     .inputs = {x},
                     .outputs = {numbers(DType::float32, {1, 2, 0, 1}, {})},
                     .attributes = {{"kernel_shape", Integers{3, 3}}}},
                    ErrorCode::invalid_model, "a window of 3 does not fit into the padded input of 1");
  }
}

// ceil((2 - 3) / 2) + 1 = 1: a window may hang over the end.
TEST(Pools, RoundUpToAWindowThatHangsOver) {
  expect_op({.op = "MaxPool",
             .inputs = {numbers(DType::float32, {1, 1, 2}, {4, 7})},
             .outputs = {numbers(DType::float32, {1, 1, 1}, {7})},
             .attributes = {{"kernel_shape", Integers{3}}, {"strides", Integers{2}}, {"ceil_mode", int64_t{1}}}});
}

// Windows that end before the input begins, of one map and of maps in blocks.
TEST(Pools, ReadNothingWhereThePaddingCutsTheWholeInput) {
  for (const int64_t channels : {1, 40}) {
    const std::vector<double> x(static_cast<size_t>(channels * 4), 5);
    const std::vector<double> nothing(static_cast<size_t>(channels * 6), -std::numeric_limits<double>::infinity());
    expect_op({.op = "MaxPool",
               .inputs = {numbers(DType::float32, {1, channels, 1, 4}, x)},
               .outputs = {numbers(DType::float32, {1, channels, 1, 6}, nothing)},
               .attributes = {
                   {"kernel_shape", Integers{1, 2}}, {"strides", Integers{1, 2}}, {"pads", Integers{0, 16, 0, -7}}}});
  }
}

}  // namespace
}  // namespace onnxrun
