#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(AffineGrid, TransformsPositions) {
  // x' = x + y / 2 + 1, y' = 2 y - 1.
  const std::vector<double> theta = {1, 0.5, 1, 0, 2, -1};
  for (const DType dtype : {DType::float32, DType::float64, DType::float16, DType::bfloat16}) {
    // y is -1/2, 1/2; x is -3/4, -1/4, 1/4, 3/4.
    expect_op(
        {.op = "AffineGrid",
         .inputs = {numbers(dtype, {1, 2, 3}, theta), integers({4}, {1, 1, 2, 4})},
         .outputs = {numbers(dtype, {1, 2, 4, 2}, {0, -2, 0.5, -2, 1, -2, 1.5, -2, 0.5, 0, 1, 0, 1.5, 0, 2, 0})}});
    // y is -1, 1; x is -1, 0, 1.
    expect_op({.op = "AffineGrid",
               .inputs = {numbers(dtype, {1, 2, 3}, theta), integers({4}, {1, 9, 2, 3})},
               .outputs = {numbers(dtype, {1, 2, 3, 2}, {-0.5, -3, 0.5, -3, 1.5, -3, 0.5, 1, 1.5, 1, 2.5, 1})},
               .attributes = {{"align_corners", int64_t{1}}}});
  }
}

TEST(AffineGrid, TakesVolumesAndBatches) {
  // The second image has its axes in reverse order; one position of an axis lies at -1, two at -1 and 1.
  const Tensor theta = floats({2, 3, 4}, {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 5});
  expect_op({.op = "AffineGrid",
             .inputs = {theta, integers({5}, {2, 1, 2, 1, 2})},
             .outputs = {floats({2, 2, 1, 2, 3}, {-1, -1, -1, 1,  -1, -1, -1, -1, 1, 1, -1, 1,  //
                                                  -1, -1, 4,  -1, -1, 6,  1,  -1, 4, 1, -1, 6})},
             .attributes = {{"align_corners", int64_t{1}}}});
  expect_op({.op = "AffineGrid",
             .inputs = {floats({0, 2, 3}, {}), integers({4}, {0, 1, 2, 2})},
             .outputs = {floats({0, 2, 2, 2}, {})}});
}

TEST(AffineGrid, RefusesWhatDoesNotFit) {
  const Value y = floats({1, 1, 1, 2}, {0, 0});
  expect_op_error({.op = "AffineGrid",
                   .inputs = {floats({1, 2, 3}, {1, 0, 0, 0, 1, 0}), integers({5}, {1, 1, 1, 1, 1})},
                   .outputs = {y}},
                  ErrorCode::run_failed, "theta of shape [1,2,3]");
  expect_op_error(
      {.op = "AffineGrid", .inputs = {floats({1, 2, 3}, {1, 0, 0, 0, 1, 0}), integers({3}, {1, 1, 1})}, .outputs = {y}},
      ErrorCode::run_failed, "4 or 5 elements");
}

}  // namespace
}  // namespace onnxrun
