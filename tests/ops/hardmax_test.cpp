#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Hardmax, MarksTheFirstLargest) {
  const Tensor data = floats({2, 2, 2}, {1, 3, 3, 0, 5, 5, 6, 7});
  expect_op({.op = "Hardmax", .inputs = {data}, .outputs = {floats({2, 2, 2}, {0, 1, 1, 0, 1, 0, 0, 1})}});
  expect_op({.op = "Hardmax",
             .inputs = {data},
             .outputs = {floats({2, 2, 2}, {0, 1, 1, 0, 0, 0, 1, 1})},
             .attributes = {{"axis", int64_t{1}}}});
  expect_op({.op = "Hardmax", .inputs = {data}, .outputs = {floats({2, 2, 2}, {0, 1, 0, 0, 0, 0, 0, 1})}, .opset = 11});
}

}  // namespace
}  // namespace onnxrun
