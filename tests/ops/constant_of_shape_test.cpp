#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(ConstantOfShape, FillsAnyType) {
  expect_op({.op = "ConstantOfShape", .inputs = {integers({2}, {2, 1})}, .outputs = {floats({2, 1}, {0, 0})}});
  expect_op({.op = "ConstantOfShape",
             .inputs = {integers({1}, {3})},
             .outputs = {numbers(DType::int64, {3}, {7, 7, 7})},
             .attributes = {{"value", integers({1}, {7})}}});
  const uint8_t three[] = {0x03};
  const uint8_t filled[] = {0x33, 0x33};
  expect_op({.op = "ConstantOfShape",
             .inputs = {integers({1}, {4})},
             .outputs = {Tensor::of<uint8_t>(DType::uint4, {4}, filled)},
             .attributes = {{"value", Tensor::of<uint8_t>(DType::uint4, {1}, three)}}});
  expect_op({.op = "ConstantOfShape", .inputs = {integers({0}, {})}, .outputs = {floats({}, {0})}});
}

TEST(ConstantOfShape, RefusesNegativeExtents) {
  expect_op_error({.op = "ConstantOfShape", .inputs = {integers({1}, {-1})}, .outputs = {floats({}, {0})}},
                  ErrorCode::run_failed, "extent -1");
  expect_op_error(
      {.op = "ConstantOfShape", .inputs = {integers({2}, {INT64_MAX, INT64_MAX})}, .outputs = {floats({}, {0})}},
      ErrorCode::limit, "");
}

}  // namespace
}  // namespace onnxrun
