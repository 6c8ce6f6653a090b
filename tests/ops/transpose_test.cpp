#include <gtest/gtest.h>

#include <numeric>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

// Element [i, j, k] of the input is [k, i, j] of the output, whatever the width of an element.
TEST(Transpose, MovesElementsOfEveryWidth) {
  std::vector<double> counted(24);
  std::iota(counted.begin(), counted.end(), 0.0);
  std::vector<double> moved;
  for (int k = 0; k < 4; ++k) {
    for (int ij = 0; ij < 6; ++ij) moved.push_back(ij * 4 + k);
  }
  for (const DType dtype : {DType::uint8, DType::float16, DType::int32, DType::float64}) {
    expect_op({.op = "Transpose",
               .inputs = {numbers(dtype, {2, 3, 4}, counted)},
               .outputs = {numbers(dtype, {4, 2, 3}, moved)},
               .attributes = {{"perm", std::vector<int64_t>{2, 0, 1}}}});
  }
  expect_op({.op = "Transpose",
             .inputs = {strings({2, 2}, {"a", "b", "c", "d"})},
             .outputs = {strings({2, 2}, {"a", "c", "b", "d"})}});
}

TEST(Transpose, MovesPackedElements) {
  const uint8_t src[] = {0x21, 0x43, 0x65};
  const uint8_t dst[] = {0x41, 0x52, 0x63};
  expect_op({.op = "Transpose",
             .inputs = {Tensor::of<uint8_t>(DType::uint4, {2, 3}, src)},
             .outputs = {Tensor::of<uint8_t>(DType::uint4, {3, 2}, dst)}});
}

// Blocks at the edges, and enough elements for several tiles.
TEST(Transpose, TransposesLargeMatrices) {
  const int64_t rows = 301;
  const int64_t columns = 263;
  const Tensor data = random_floats({rows, columns}, 3);
  Tensor expected(DType::float32, {columns, rows});
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      expected.mutable_values<float>()[static_cast<size_t>(c * rows + r)] =
          data.values<float>()[static_cast<size_t>(r * columns + c)];
    }
  }
  expect_op({.op = "Transpose", .inputs = {data}, .outputs = {expected}});
}

TEST(Transpose, TakesScalarsAndNoElements) {
  expect_op({.op = "Transpose", .inputs = {floats({}, {1})}, .outputs = {floats({}, {1})}});
  expect_op({.op = "Transpose", .inputs = {floats({0, 2}, {})}, .outputs = {floats({2, 0}, {})}});
}

TEST(Transpose, RefusesAWrongPermutation) {
  expect_op_error({.op = "Transpose",
                   .inputs = {floats({1, 1}, {1})},
                   .outputs = {floats({1, 1}, {1})},
                   .attributes = {{"perm", std::vector<int64_t>{0}}}},
                  ErrorCode::invalid_model, "perm");
  expect_op_error({.op = "Transpose",
                   .inputs = {floats({1, 1}, {1})},
                   .outputs = {floats({1, 1}, {1})},
                   .attributes = {{"perm", std::vector<int64_t>{0, 0}}}},
                  ErrorCode::invalid_model, "perm");
}

}  // namespace
}  // namespace onnxrun
