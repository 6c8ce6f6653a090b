#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Flatten, JoinsAxesOnBothSides) {
  const Tensor data = random_floats({2, 3, 4}, 1);
  expect_op({.op = "Flatten", .inputs = {data}, .outputs = {data.reshaped({2, 12})}});
  expect_op(
      {.op = "Flatten", .inputs = {data}, .outputs = {data.reshaped({1, 24})}, .attributes = {{"axis", int64_t{0}}}});
  expect_op(
      {.op = "Flatten", .inputs = {data}, .outputs = {data.reshaped({6, 4})}, .attributes = {{"axis", int64_t{-1}}}});
  expect_op(
      {.op = "Flatten", .inputs = {data}, .outputs = {data.reshaped({24, 1})}, .attributes = {{"axis", int64_t{3}}}});
}

TEST(Flatten, RefusesAxesOutOfRange) {
  expect_op_error({.op = "Flatten",
                   .inputs = {floats({1}, {1})},
                   .outputs = {floats({1, 1}, {1})},
                   .attributes = {{"axis", int64_t{2}}}},
                  ErrorCode::invalid_model, "axis 2");
  expect_op_error({.op = "Flatten",
                   .inputs = {floats({1}, {1})},
                   .outputs = {floats({1, 1}, {1})},
                   .attributes = {{"axis", int64_t{-1}}},
                   .opset = 9},
                  ErrorCode::invalid_model, "axis -1");
}

}  // namespace
}  // namespace onnxrun
