#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Upsample, FollowsEveryVersion) {
  const Tensor x = floats({1, 1, 1, 2}, {1, 3});
  const Value nearest = floats({1, 1, 2, 4}, {1, 1, 3, 3, 1, 1, 3, 3});
  const Value linear = floats({1, 1, 2, 4}, {1, 2, 3, 3, 1, 2, 3, 3});
  const std::vector<float> scales = {1, 1, 2, 2};
  expect_op({.op = "Upsample",
             .inputs = {x},
             .outputs = {nearest},
             .attributes = {{"height_scale", 2.0F}, {"width_scale", 2.0F}},
             .opset = 1});
  expect_op({.op = "Upsample",
             .inputs = {x},
             .outputs = {linear},
             .attributes = {{"height_scale", 2.0F}, {"width_scale", 2.0F}, {"mode", std::string("bilinear")}},
             .opset = 1});
  expect_op({.op = "Upsample", .inputs = {x}, .outputs = {nearest}, .attributes = {{"scales", scales}}, .opset = 7});
  for (const int64_t opset : {9, 10, 21}) {
    expect_op({.op = "Upsample",
               .inputs = {x, floats({4}, scales)},
               .outputs = {linear},
               .attributes = {{"mode", std::string("linear")}},
               .opset = opset});
  }
}

TEST(Upsample, TakesEveryTypeAndRank) {
  for (const DType dtype : {DType::uint8, DType::int64, DType::float16, DType::float64}) {
    expect_op({.op = "Upsample",
               .inputs = {numbers(dtype, {2}, {1, 2}), floats({1}, {2.5})},
               .outputs = {numbers(dtype, {5}, {1, 1, 1, 2, 2})},
               .opset = 9});
  }
  expect_op({.op = "Upsample",
             .inputs = {strings({1, 2}, {"a", "b"}), floats({2}, {2, 1})},
             .outputs = {strings({2, 2}, {"a", "b", "a", "b"})},
             .opset = 9});
}

TEST(Upsample, RefusesToShrink) {
  expect_op_error({.op = "Upsample",
                   .inputs = {floats({2}, {1, 2}), floats({1}, {0.5})},
                   .outputs = {floats({1}, {1})},
                   .opset = 9},
                  ErrorCode::run_failed, "less than 1");
}

}  // namespace
}  // namespace onnxrun
