#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Logical, CombinesBoolsAndBits) {
  const Tensor a = numbers(DType::boolean, {4}, {0, 0, 1, 1});
  const Tensor b = numbers(DType::boolean, {4}, {0, 1, 0, 1});
  expect_op({.op = "And", .inputs = {a, b}, .outputs = {numbers(DType::boolean, {4}, {0, 0, 0, 1})}});
  expect_op({.op = "Or", .inputs = {a, b}, .outputs = {numbers(DType::boolean, {4}, {0, 1, 1, 1})}});
  expect_op({.op = "Xor", .inputs = {a, b}, .outputs = {numbers(DType::boolean, {4}, {0, 1, 1, 0})}});
  const Tensor x = numbers(DType::int16, {2}, {12, -1});
  const Tensor y = numbers(DType::int16, {}, {10});
  expect_op({.op = "BitwiseAnd", .inputs = {x, y}, .outputs = {numbers(DType::int16, {2}, {8, 10})}});
  expect_op({.op = "BitwiseOr", .inputs = {x, y}, .outputs = {numbers(DType::int16, {2}, {14, -1})}});
  expect_op({.op = "BitwiseXor", .inputs = {x, y}, .outputs = {numbers(DType::int16, {2}, {6, -11})}});
}

}  // namespace
}  // namespace onnxrun
