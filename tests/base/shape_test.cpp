#include "onnxrun/shape.h"

#include <gtest/gtest.h>

#include "onnxrun/error.h"
#include "onnxrun/tensor.h"

namespace onnxrun {
namespace {

TEST(Shape, HoldsAnyNumberOfDimensions) {
  Shape shape;
  for (int64_t axis = 0; axis < 20; ++axis) {
    EXPECT_EQ(shape.rank(), static_cast<size_t>(axis));
    shape.push_back(axis);
  }
  for (int64_t axis = 0; axis < 20; ++axis) EXPECT_EQ(shape[static_cast<size_t>(axis)], axis);
  shape.erase(3);
  shape.insert(0, 99);
  EXPECT_EQ(shape.rank(), 20U);
  EXPECT_EQ(shape[0], 99);
  EXPECT_EQ(shape[4], 4);
  while (shape.rank() > 2) shape.erase(shape.rank() - 1);
  EXPECT_EQ(shape, Shape({99, 0}));
}

TEST(Shape, CountsElementsAndBytes) {
  EXPECT_EQ(Shape({}).elements(), 1);
  EXPECT_EQ(Shape({2, 0, 3}).elements(), 0);
  EXPECT_EQ(Shape({2, 3, 4}).elements(1, 3), 12);
  EXPECT_EQ(Shape({2, 3}).checked_bytes(DType::float64), 48U);
  EXPECT_EQ(Shape({5}).checked_bytes(DType::int4), 3U);
  EXPECT_EQ(Shape({7}).checked_bytes(DType::uint2), 2U);
}

TEST(Shape, RefusesSizesThatDoNotExist) {
  EXPECT_THROW(Shape({int64_t{1} << 62, 8}).checked_bytes(DType::float32), Error);
  EXPECT_THROW(Shape({-1, 2}).checked_bytes(DType::float32), Error);
  EXPECT_EQ(Shape({int64_t{1} << 62, 8, 0}).checked_bytes(DType::float32), 0U);
}

TEST(Tensor, CopiesShareElementsAndClonesDoNot) {
  Tensor tensor(DType::int32, {2});
  tensor.mutable_values<int32_t>()[0] = 1;
  const Tensor copy = tensor;
  const Tensor clone = tensor.clone();
  tensor.mutable_values<int32_t>()[0] = 2;
  EXPECT_EQ(copy.values<int32_t>()[0], 2);
  EXPECT_EQ(clone.values<int32_t>()[0], 1);
}

TEST(Tensor, RefusesMoreMemoryThanTheMachineHas) {
  EXPECT_THROW(Tensor(DType::float32, {int64_t{1} << 40, int64_t{1} << 10}), Error);
}

}  // namespace
}  // namespace onnxrun
