#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Where, ChoosesWithBroadcasting) {
  const Tensor condition = numbers(DType::boolean, {2, 1}, {1, 0});
  expect_op({.op = "Where",
             .inputs = {condition, floats({2}, {1, 2}), floats({}, {9})},
             .outputs = {floats({2, 2}, {1, 2, 9, 9})}});
  expect_op({.op = "Where",
             .inputs = {numbers(DType::boolean, {2}, {0, 1}), strings({2}, {"a", "b"}), strings({2}, {"c", "d"})},
             .outputs = {strings({2}, {"c", "b"})}});
  expect_op({.op = "Where", .inputs = {condition, floats({0}, {}), floats({1}, {1})}, .outputs = {floats({2, 0}, {})}});
}

}  // namespace
}  // namespace onnxrun
