#include <gtest/gtest.h>

#include <limits>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

void expect_comparison(const char* op, const std::vector<double>& expected) {
  for (const DType dtype : {DType::float32, DType::float16, DType::float64}) {
    expect_op({.op = op,
               .inputs = {numbers(dtype, {4}, {1, 2, 3, kNan}), numbers(dtype, {4}, {2, 2, 2, kNan})},
               .outputs = {numbers(DType::boolean, {4}, expected)}});
  }
}

TEST(Comparison, FollowsIeee754) {
  expect_comparison("Equal", {0, 1, 0, 0});
  expect_comparison("Less", {1, 0, 0, 0});
  expect_comparison("LessOrEqual", {1, 1, 0, 0});
  expect_comparison("Greater", {0, 0, 1, 0});
  expect_comparison("GreaterOrEqual", {0, 1, 1, 0});
}

TEST(Comparison, BroadcastsIntegersAndStrings) {
  expect_op({.op = "Less",
             .inputs = {numbers(DType::uint64, {2, 1}, {1, 0x1p63}), numbers(DType::uint64, {2}, {2, 1})},
             .outputs = {numbers(DType::boolean, {2, 2}, {1, 0, 0, 0})}});
  expect_op({.op = "Equal",
             .inputs = {strings({2}, {"a", "b"}), strings({}, {"b"})},
             .outputs = {numbers(DType::boolean, {2}, {0, 1})}});
}

// Before version 7 attributes say where the second operand lies.
TEST(Comparison, PlacesTheSecondOperandByAxis) {
  expect_op({.op = "Greater",
             .inputs = {floats({2, 2}, {1, 2, 3, 4}), floats({2}, {1, 3})},
             .outputs = {numbers(DType::boolean, {2, 2}, {0, 1, 0, 1})},
             .attributes = {{"broadcast", int64_t{1}}, {"axis", int64_t{0}}},
             .opset = 6});
}

}  // namespace
}  // namespace onnxrun
