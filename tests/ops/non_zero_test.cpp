#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(NonZero, ListsPositions) {
  expect_op(
      {.op = "NonZero", .inputs = {floats({2, 2}, {1, -0.0F, 0, 2})}, .outputs = {integers({2, 2}, {0, 1, 0, 1})}});
  expect_op({.op = "NonZero", .inputs = {strings({2}, {"", "a"})}, .outputs = {integers({1, 1}, {1})}});
  expect_op({.op = "NonZero", .inputs = {floats({0, 3}, {})}, .outputs = {integers({2, 0}, {})}});
}

}  // namespace
}  // namespace onnxrun
