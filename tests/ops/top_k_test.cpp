#include <gtest/gtest.h>

#include <limits>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(TopK, OrdersByValueThenPosition) {
  const Tensor data = floats({2, 4}, {3, 1, 3, 2, 0, 5, -1, 5});
  expect_op({.op = "TopK",
             .inputs = {data, integers({1}, {2})},
             .outputs = {floats({2, 2}, {3, 3, 5, 5}), integers({2, 2}, {0, 2, 1, 3})}});
  expect_op({.op = "TopK",
             .inputs = {data, integers({1}, {1})},
             .outputs = {floats({1, 4}, {0, 1, -1, 2}), integers({1, 4}, {1, 0, 1, 0})},
             .attributes = {{"axis", int64_t{0}}, {"largest", int64_t{0}}}});
  expect_op(
      {.op = "TopK", .inputs = {data, integers({1}, {0})}, .outputs = {floats({2, 0}, {}), integers({2, 0}, {})}});
  const float nan = std::numeric_limits<float>::quiet_NaN();
  expect_op({.op = "TopK",
             .inputs = {floats({3}, {1, nan, 2}), integers({1}, {2})},
             .outputs = {floats({2}, {nan, 2}), integers({2}, {1, 2})}});
}

TEST(TopK, RefusesMoreThanThereIs) {
  expect_op_error({.op = "TopK",
                   .inputs = {floats({1}, {1}), integers({1}, {2})},
                   .outputs = {floats({1}, {1}), integers({1}, {0})}},
                  ErrorCode::run_failed, "k is 2");
}

}  // namespace
}  // namespace onnxrun
