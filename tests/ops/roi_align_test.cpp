#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

using Attributes = ModelBuilder::Attributes;

// The plane y * 4 + x + 1: linear interpolation gives it exactly.
std::vector<double> plane() {
  std::vector<double> x;
  for (int i = 1; i <= 16; ++i) x.push_back(i);
  return x;
}

TEST(RoiAlign, AveragesSamples) {
  const Attributes two = {{"output_height", int64_t{2}}, {"output_width", int64_t{2}}};
  for (const DType dtype : {DType::float32, DType::float16, DType::bfloat16, DType::float64}) {
    // [1, 3] without the shift of half a pixel: bins of 1, centres 1.5 and 2.5.
    Attributes attributes = two;
    attributes.emplace_back("coordinate_transformation_mode", std::string("output_half_pixel"));
    expect_op(
        {.op = "RoiAlign",
         .inputs = {numbers(dtype, {1, 1, 4, 4}, plane()), numbers(dtype, {1, 4}, {1, 1, 3, 3}), integers({1}, {0})},
         .outputs = {numbers(dtype, {1, 1, 2, 2}, {8.5, 9.5, 12.5, 13.5})},
         .attributes = attributes,
         .opset = 22});
    // With it: centres 1 and 2; four samples each have the same mean.
    attributes = two;
    attributes.emplace_back("sampling_ratio", int64_t{2});
    expect_op(
        {.op = "RoiAlign",
         .inputs = {numbers(dtype, {1, 1, 4, 4}, plane()), numbers(dtype, {1, 4}, {1, 1, 3, 3}), integers({1}, {0})},
         .outputs = {numbers(dtype, {1, 1, 2, 2}, {6, 7, 10, 11})},
         .attributes = attributes,
         .opset = 22});
  }
}

TEST(RoiAlign, FollowsOlderVersionsAndScales) {
  const Tensor x = floats({2, 1, 2, 2}, {0, 0, 0, 0, 1, 2, 3, 4});
  // Version 10 does not shift, and takes a region as one pixel at least: [0, 1] has its centre at 1/2.
  expect_op({.op = "RoiAlign",
             .inputs = {x, floats({2, 4}, {0, 0, 2, 2, 0, 0, 0.5F, 0.5F}), integers({2}, {1, 1})},
             .outputs = {floats({2, 1, 1, 1}, {2.5F, 2.5F})},
             .attributes = {{"spatial_scale", 0.5F}, {"sampling_ratio", int64_t{1}}},
             .opset = 10});
  // Less than a pixel outside the edge repeats; further away it is 0.
  expect_op({.op = "RoiAlign",
             .inputs = {x, floats({2, 4}, {-0.5F, -0.5F, 0.5F, 0.5F, 4, 4, 5, 5}), integers({2}, {1, 1})},
             .outputs = {floats({2, 1, 1, 1}, {1, 0})},
             .opset = 16});
}

TEST(RoiAlign, TakesTheLargestWeightedPixel) {
  // The sample at (1/4, 1/2) of 1 2 / 3 4: 3/8, 3/4, 3/8 and 1/2.
  expect_op({.op = "RoiAlign",
             .inputs = {floats({1, 1, 2, 2}, {1, 2, 3, 4}), floats({1, 4}, {0, 0, 1, 1}), integers({1}, {0})},
             .outputs = {floats({1, 1, 2, 1}, {0.75F, 1.5F})},
             .attributes = {{"mode", std::string("max")},
                            {"output_height", int64_t{2}},
                            {"coordinate_transformation_mode", std::string("output_half_pixel")}},
             .opset = 16});
}

TEST(RoiAlign, RefusesWhatDoesNotFit) {
  const Tensor x = floats({1, 1, 1, 1}, {1});
  const Value y = floats({1, 1, 1, 1}, {1});
  expect_op_error({.op = "RoiAlign", .inputs = {x, floats({1, 4}, {0, 0, 1, 1}), integers({1}, {1})}, .outputs = {y}},
                  ErrorCode::run_failed, "image 1");
  expect_op_error(
      {.op = "RoiAlign", .inputs = {x, floats({1, 4}, {0, 0, 1, 1}), integers({2}, {0, 0})}, .outputs = {y}},
      ErrorCode::invalid_model, "2 batch_indices for 1 regions");
  expect_op(
      {.op = "RoiAlign", .inputs = {x, floats({0, 4}, {}), integers({0}, {})}, .outputs = {floats({0, 1, 1, 1}, {})}});
}

}  // namespace
}  // namespace onnxrun
