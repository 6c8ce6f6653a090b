#include <gtest/gtest.h>

#include <limits>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(ArgExtremum, FindsTheFirstOrLast) {
  const Tensor data = floats({2, 3}, {2, 7, 7, 1, 0, 0});
  expect_op(
      {.op = "ArgMax", .inputs = {data}, .outputs = {integers({2, 1}, {1, 0})}, .attributes = {{"axis", int64_t{-1}}}});
  expect_op({.op = "ArgMax",
             .inputs = {data},
             .outputs = {integers({2}, {2, 0})},
             .attributes = {{"axis", int64_t{1}}, {"keepdims", int64_t{0}}, {"select_last_index", int64_t{1}}}});
  expect_op({.op = "ArgMin", .inputs = {data}, .outputs = {integers({1, 3}, {1, 1, 1})}});
  expect_op({.op = "ArgMin",
             .inputs = {numbers(DType::int8, {3}, {1, -5, -5})},
             .outputs = {integers({1}, {2})},
             .attributes = {{"select_last_index", int64_t{1}}}});
}

TEST(ArgExtremum, CountsNanAsExtremum) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  expect_op({.op = "ArgMax", .inputs = {floats({4}, {1, nan, 9, nan})}, .outputs = {integers({1}, {1})}});
  expect_op({.op = "ArgMin", .inputs = {floats({4}, {1, nan, 9, nan})}, .outputs = {integers({1}, {1})}});
}

TEST(ArgExtremum, NeedsElements) {
  expect_op_error({.op = "ArgMax", .inputs = {floats({0}, {})}, .outputs = {integers({1}, {0})}},
                  ErrorCode::invalid_model, "axis 0");
}

}  // namespace
}  // namespace onnxrun
