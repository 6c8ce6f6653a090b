#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Size, CountsElements) {
  expect_op({.op = "Size", .inputs = {Tensor(DType::float32, {3, 4})}, .outputs = {integers({}, {12})}});
  expect_op({.op = "Size", .inputs = {Tensor(DType::int4, {7, 0})}, .outputs = {integers({}, {0})}});
  expect_op({.op = "Size", .inputs = {floats({}, {1})}, .outputs = {integers({}, {1})}, .opset = 1});
}

}  // namespace
}  // namespace onnxrun
