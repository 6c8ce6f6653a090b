#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(CenterCropPad, CropsAndPadsAroundTheCentre) {
  const Tensor x = floats({3, 4}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  expect_op({.op = "CenterCropPad", .inputs = {x, integers({2}, {2, 1})}, .outputs = {floats({2, 1}, {2, 6})}});
  expect_op({.op = "CenterCropPad",
             .inputs = {x, integers({2}, {4, 2})},
             .outputs = {floats({4, 2}, {2, 3, 6, 7, 10, 11, 0, 0})}});
  expect_op({.op = "CenterCropPad",
             .inputs = {x, numbers(DType::int32, {1}, {7})},
             .outputs = {floats({3, 7}, {0, 1, 2, 3, 4, 0, 0, 0, 5, 6, 7, 8, 0, 0, 0, 9, 10, 11, 12, 0, 0})},
             .attributes = {{"axes", std::vector<int64_t>{-1}}}});
  expect_op({.op = "CenterCropPad",
             .inputs = {x, integers({2}, {1, 3})},
             .outputs = {floats({3, 1}, {2, 6, 10})},
             .attributes = {{"axes", std::vector<int64_t>{1, 0}}}});
  expect_op({.op = "CenterCropPad", .inputs = {x, integers({2}, {3, 4})}, .outputs = {x}});
}

TEST(CenterCropPad, MovesEveryType) {
  for (const DType dtype : {DType::boolean, DType::uint8, DType::int64, DType::float16, DType::bfloat16}) {
    expect_op({.op = "CenterCropPad",
               .inputs = {numbers(dtype, {1, 2}, {1, 1}), integers({2}, {2, 3})},
               .outputs = {numbers(dtype, {2, 3}, {1, 1, 0, 0, 0, 0})}});
  }
  expect_op({.op = "CenterCropPad",
             .inputs = {strings({3}, {"a", "b", "c"}), integers({1}, {1})},
             .outputs = {strings({1}, {"b"})}});
  expect_op({.op = "CenterCropPad",
             .inputs = {strings({1}, {"a"}), integers({1}, {4})},
             .outputs = {strings({4}, {"", "a", "", ""})}});
}

TEST(CenterCropPad, TakesEmptyTensors) {
  expect_op({.op = "CenterCropPad",
             .inputs = {floats({0, 2}, {}), integers({2}, {1, 2})},
             .outputs = {floats({1, 2}, {0, 0})}});
  expect_op({.op = "CenterCropPad",
             .inputs = {floats({1, 2}, {1, 2}), integers({2}, {0, 2})},
             .outputs = {floats({0, 2}, {})}});
}

TEST(CenterCropPad, RefusesWhatDoesNotFit) {
  const Tensor x = floats({2}, {1, 2});
  expect_op_error({.op = "CenterCropPad", .inputs = {x, integers({2}, {1, 1})}, .outputs = {x}}, ErrorCode::run_failed,
                  "shape has 2 elements for 1 axes");
  expect_op_error({.op = "CenterCropPad", .inputs = {x, integers({1}, {-1})}, .outputs = {x}}, ErrorCode::run_failed,
                  "-1");
}

}  // namespace
}  // namespace onnxrun
