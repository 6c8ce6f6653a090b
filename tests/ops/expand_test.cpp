#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Expand, BroadcastsBothWays) {
  expect_op({.op = "Expand",
             .inputs = {floats({2, 1}, {1, 2}), integers({1}, {3})},
             .outputs = {floats({2, 3}, {1, 1, 1, 2, 2, 2})}});
  expect_op({.op = "Expand",
             .inputs = {floats({3}, {1, 2, 3}), integers({2}, {2, 1})},
             .outputs = {floats({2, 3}, {1, 2, 3, 1, 2, 3})}});
  expect_op(
      {.op = "Expand", .inputs = {strings({}, {"a"}), integers({1}, {2})}, .outputs = {strings({2}, {"a", "a"})}});
  expect_op({.op = "Expand", .inputs = {floats({1}, {1}), integers({1}, {0})}, .outputs = {floats({0}, {})}});
}

TEST(Expand, RefusesShapesThatDoNotFit) {
  expect_op_error({.op = "Expand", .inputs = {floats({2}, {1, 2}), integers({1}, {3})}, .outputs = {floats({1}, {1})}},
                  ErrorCode::run_failed, "broadcast");
  expect_op_error({.op = "Expand", .inputs = {floats({1}, {1}), integers({1}, {-3})}, .outputs = {floats({1}, {1})}},
                  ErrorCode::run_failed, "extent -3");
}

}  // namespace
}  // namespace onnxrun
