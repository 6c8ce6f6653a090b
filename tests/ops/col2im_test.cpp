#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Col2Im, AddsBlocksWhereTheyOverlap) {
  // One channel of 3 x 3 in blocks of 2 x 2: row k of the input is tap k of the blocks at (0, 0), (0, 1), (1, 0), (1,
  // 1).
  const std::vector<double> columns = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  const std::vector<double> image = {1, 2 + 5, 6, 3 + 9, 4 + 7 + 10 + 13, 8 + 14, 11, 12 + 15, 16};
  for (const DType dtype : {DType::float32, DType::float64, DType::float16, DType::bfloat16, DType::int8, DType::uint16,
                            DType::int32, DType::uint64}) {
    expect_op({.op = "Col2Im",
               .inputs = {numbers(dtype, {1, 4, 4}, columns), integers({2}, {3, 3}), integers({2}, {2, 2})},
               .outputs = {numbers(dtype, {1, 1, 3, 3}, image)}});
  }
}

TEST(Col2Im, FollowsTheWindow) {
  // Two channels of four in blocks of two, two apart: taps at 0, 2 and 1, 3; then padded: taps at -1, 1 and 1, 3.
  const Tensor columns = floats({1, 4, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  expect_op({.op = "Col2Im",
             .inputs = {columns, integers({1}, {4}), integers({1}, {2})},
             .outputs = {floats({1, 2, 4}, {1, 2, 3, 4, 5, 6, 7, 8})},
             .attributes = {{"dilations", std::vector<int64_t>{2}}}});
  expect_op({.op = "Col2Im",
             .inputs = {columns, integers({1}, {4}), integers({1}, {2})},
             .outputs = {floats({1, 2, 4}, {0, 2 + 3, 0, 4, 0, 6 + 7, 0, 8})},
             .attributes = {{"dilations", std::vector<int64_t>{2}},
                            {"strides", std::vector<int64_t>{2}},
                            {"pads", std::vector<int64_t>{1, 0}}}});
  // Three axes: a block of everything.
  expect_op({.op = "Col2Im",
             .inputs = {floats({2, 8, 1}, {1, 2, 3, 4, 5, 6, 7, 8, 8, 7, 6, 5, 4, 3, 2, 1}), integers({3}, {2, 2, 2}),
                        integers({3}, {2, 2, 2})},
             .outputs = {floats({2, 1, 2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 8, 7, 6, 5, 4, 3, 2, 1})}});
}

TEST(Col2Im, AddsComplexNumbersAndBools) {
  const float columns[] = {1, 2, 3, 4, 5, 6, 7, 8};
  const float image[] = {1, 2, 8, 10, 7, 8};
  expect_op(
      {.op = "Col2Im",
       .inputs = {Tensor::of<float>(DType::complex64, {1, 2, 2}, columns), integers({1}, {3}), integers({1}, {2})},
       .outputs = {Tensor::of<float>(DType::complex64, {1, 1, 3}, image)}});
  expect_op({.op = "Col2Im",
             .inputs = {numbers(DType::boolean, {1, 2, 2}, {0, 1, 1, 0}), integers({1}, {3}), integers({1}, {2})},
             .outputs = {numbers(DType::boolean, {1, 1, 3}, {0, 1, 0})}});
}

TEST(Col2Im, RefusesWhatDoesNotFit) {
  const Value y = floats({1, 1, 3}, {0, 0, 0});
  expect_op_error({.op = "Col2Im",
                   .inputs = {floats({1, 2, 3}, {1, 2, 3, 4, 5, 6}), integers({1}, {3}), integers({1}, {2})},
                   .outputs = {y}},
                  ErrorCode::run_failed, "3 blocks, the image 2");
  expect_op_error({.op = "Col2Im",
                   .inputs = {floats({1, 3, 2}, {1, 2, 3, 4, 5, 6}), integers({1}, {3}), integers({1}, {2})},
                   .outputs = {y}},
                  ErrorCode::run_failed, "do not divide");
  expect_op({.op = "Col2Im",
             .inputs = {floats({0, 2, 2}, {}), integers({1}, {3}), integers({1}, {2})},
             .outputs = {floats({0, 1, 3}, {})}});
}

}  // namespace
}  // namespace onnxrun
