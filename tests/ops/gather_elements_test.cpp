#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(GatherElements, PicksElementByElement) {
  const Tensor data = floats({2, 2}, {1, 2, 3, 4});
  expect_op({.op = "GatherElements",
             .inputs = {data, integers({2, 3}, {0, 0, -1, 1, 0, 0})},
             .outputs = {floats({2, 3}, {1, 1, 2, 4, 3, 3})},
             .attributes = {{"axis", int64_t{1}}}});
  expect_op({.op = "GatherElements", .inputs = {data, integers({1, 2}, {1, 0})}, .outputs = {floats({1, 2}, {3, 2})}});
  expect_op_error({.op = "GatherElements", .inputs = {data, integers({1, 1}, {2})}, .outputs = {floats({1, 1}, {1})}},
                  ErrorCode::run_failed, "index 2");
  expect_op_error(
      {.op = "GatherElements", .inputs = {data, integers({1, 3}, {0, 0, 0})}, .outputs = {floats({1, 1}, {1})}},
      ErrorCode::invalid_model, "axis 1");
}

// Along each axis, with indices of both types and of both signs.
TEST(GatherElements, PicksManyElements) {
  const int64_t data[] = {3, 5, 700}, extents[] = {2, 4, 600};
  std::vector<float> values(static_cast<size_t>(data[0] * data[1] * data[2]));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  for (int64_t axis = 0; axis < 3; ++axis) {
    std::vector<double> indices;
    std::vector<float> expected;
    for (int64_t n = 0; n < extents[0] * extents[1] * extents[2]; ++n) {
      int64_t at[] = {n / (extents[1] * extents[2]), n / extents[2] % extents[1], n % extents[2]};
      at[axis] = n * n % data[axis];
      indices.push_back(static_cast<double>(n % 3 == 0 ? at[axis] - data[axis] : at[axis]));
      expected.push_back(static_cast<float>((at[0] * data[1] + at[1]) * data[2] + at[2]));
    }
    for (const DType dtype : {DType::int32, DType::int64}) {
      expect_op({.op = "GatherElements",
                 .inputs = {floats({3, 5, 700}, values), numbers(dtype, {2, 4, 600}, indices)},
                 .outputs = {floats({2, 4, 600}, expected)},
                 .attributes = {{"axis", axis}}});
    }
  }
}

}  // namespace
}  // namespace onnxrun
