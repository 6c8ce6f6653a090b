#include <gtest/gtest.h>

#include <limits>

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

TEST(Hardmax, TakesTheFirstNanForTheLargest) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  expect_op({.op = "Hardmax",
             .inputs = {floats({3, 3}, {1, nan, nan, nan, 5, 6, -1, 0, -2})},
             .outputs = {floats({3, 3}, {0, 1, 0, 1, 0, 0, 0, 1, 0})}});
}

}  // namespace
}  // namespace onnxrun
