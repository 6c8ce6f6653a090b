#include <gtest/gtest.h>

#include <limits>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

const ModelBuilder::Attributes kTwo = {{"pooled_shape", std::vector<int64_t>{2, 2}}};

// 1 to 16 in rows of four.
std::vector<double> counted() {
  std::vector<double> x;
  for (int i = 1; i <= 16; ++i) x.push_back(i);
  return x;
}

TEST(MaxRoiPool, TakesTheLargestOfEachBin) {
  for (const DType dtype : {DType::float32, DType::float16, DType::bfloat16, DType::float64}) {
    // All of it; from 1/2, which rounds to 1, to 2; outside; one pixel, seen by all bins.
    expect_op({.op = "MaxRoiPool",
               .inputs = {numbers(dtype, {1, 1, 4, 4}, counted()),
                          numbers(dtype, {4, 5}, {0, 0, 0, 3, 3, 0, 0.5, 0.5, 2, 2, 0, 5, 5, 6, 6, 0, 3, 3, 0, 0})},
               .outputs = {numbers(dtype, {4, 1, 2, 2}, {6, 8, 14, 16, 6, 7, 10, 11, 0, 0, 0, 0, 16, 16, 16, 16})},
               .attributes = kTwo,
               .opset = 22});
  }
}

TEST(MaxRoiPool, ScalesRegionsAndTellsImagesApart) {
  expect_op({.op = "MaxRoiPool",
             .inputs = {floats({2, 2, 1, 2}, {1, 2, 3, 4, 5, 6, 7, -8}), floats({1, 5}, {1, 0, 0, 2, 0})},
             .outputs = {floats({1, 2, 1, 2}, {5, 6, 7, -8})},
             .attributes = {{"pooled_shape", std::vector<int64_t>{1, 2}}, {"spatial_scale", 0.5F}},
             .opset = 1});
  const float nan = std::numeric_limits<float>::quiet_NaN();
  expect_op({.op = "MaxRoiPool",
             .inputs = {floats({1, 1, 1, 3}, {1, nan, 2}), floats({1, 5}, {0, 0, 0, 2, 0})},
             .outputs = {floats({1, 1, 1, 1}, {nan})},
             .attributes = {{"pooled_shape", std::vector<int64_t>{1, 1}}}});
  expect_op({.op = "MaxRoiPool",
             .inputs = {floats({1, 1, 1, 1}, {1}), floats({0, 5}, {})},
             .outputs = {floats({0, 1, 2, 2}, {})},
             .attributes = kTwo});
}

TEST(MaxRoiPool, RefusesWhatDoesNotFit) {
  const Tensor x = floats({1, 1, 1, 1}, {1});
  const Value y = floats({1, 1, 2, 2}, {1, 1, 1, 1});
  expect_op_error(
      {.op = "MaxRoiPool", .inputs = {x, floats({1, 5}, {1, 0, 0, 0, 0})}, .outputs = {y}, .attributes = kTwo},
      ErrorCode::run_failed, "image 1");
  expect_op_error({.op = "MaxRoiPool", .inputs = {x, floats({1, 4}, {0, 0, 0, 0})}, .outputs = {y}, .attributes = kTwo},
                  ErrorCode::invalid_model, "[1,4]");
  expect_op_error({.op = "MaxRoiPool", .inputs = {x, floats({1, 5}, {0, 0, 0, 0, 0})}, .outputs = {y}},
                  ErrorCode::invalid_model, "pooled_shape");
}

}  // namespace
}  // namespace onnxrun
