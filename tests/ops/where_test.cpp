#include <gtest/gtest.h>

#include <vector>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Where, ChoosesWithBroadcasting) {
  const Tensor condition = numbers(DType::boolean, {2, 1}, {1, 0});
  expect_op({.op = "Where",
             .inputs = {condition, floats({2}, {1, 2}), floats({}, {9})},
             .outputs = {floats({2, 2}, {1, 2, 9, 9})}});
  expect_op({.op = "Where",
             .inputs = {numbers(DType::boolean, {2}, {0, 1}), strings({2}, {"a", "b"}), strings({2}, {"c", "d"})},
             .outputs = {strings({2}, {"c", "b"})}});
  expect_op({.op = "Where", .inputs = {condition, floats({0}, {}), floats({1}, {1})}, .outputs = {floats({2, 0}, {})}});
}

// Rows that are longer than a vector, against each combination of single elements.
TEST(Where, ChoosesBetweenRowsAndElements) {
  constexpr int64_t kSize = 37;
  std::vector<double> mask;
  std::vector<float> row;
  for (int64_t i = 0; i < kSize; ++i) {
    mask.push_back(static_cast<double>(i * 5 % 3 == 0));
    row.push_back(static_cast<float>(i) + 0.5F);
  }
  for (const bool x_row : {false, true}) {
    for (const bool y_row : {false, true}) {
      std::vector<float> expected;
      for (size_t i = 0; i < row.size(); ++i)
        expected.push_back(mask[i] != 0 ? x_row ? row[i] : -7 : y_row ? row[i] : 8);
      expect_op({.op = "Where",
                 .inputs = {numbers(DType::boolean, {kSize}, mask), x_row ? floats({kSize}, row) : floats({1}, {-7}),
                            y_row ? floats({kSize}, row) : floats({1}, {8})},
                 .outputs = {floats({kSize}, expected)}});
    }
  }
}

}  // namespace
}  // namespace onnxrun
