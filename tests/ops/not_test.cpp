#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Not, FlipsBoolsAndBits) {
  expect_op({.op = "Not",
             .inputs = {numbers(DType::boolean, {2}, {0, 1})},
             .outputs = {numbers(DType::boolean, {2}, {1, 0})}});
  expect_op({.op = "BitwiseNot",
             .inputs = {numbers(DType::int32, {2}, {0, 5})},
             .outputs = {numbers(DType::int32, {2}, {-1, -6})}});
}

}  // namespace
}  // namespace onnxrun
