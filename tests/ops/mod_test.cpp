#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Mod, TakesTheSignOfEitherOperand) {
  const Tensor a = numbers(DType::int32, {6}, {-4, 7, 5, 4, -7, INT32_MIN});
  const Tensor b = numbers(DType::int32, {6}, {2, -3, 8, -2, 3, -1});
  expect_op({.op = "Mod", .inputs = {a, b}, .outputs = {numbers(DType::int32, {6}, {0, -2, 5, 0, 2, 0})}});
  expect_op({.op = "Mod",
             .inputs = {a, b},
             .outputs = {numbers(DType::int32, {6}, {0, 1, 5, 0, -1, 0})},
             .attributes = {{"fmod", int64_t{1}}}});
  expect_op({.op = "Mod",
             .inputs = {a, numbers(DType::int32, {}, {0})},
             .outputs = {numbers(DType::int32, {6}, {0, 0, 0, 0, 0, 0})}});
  expect_op({.op = "Mod",
             .inputs = {floats({2}, {-4.5F, 5}), floats({2}, {2, -3})},
             .outputs = {floats({2}, {-0.5F, 2})},
             .attributes = {{"fmod", int64_t{1}}}});
}

TEST(Mod, NeedsFmodForFloats) {
  expect_op_error({.op = "Mod", .inputs = {floats({1}, {1}), floats({1}, {1})}, .outputs = {floats({1}, {0})}},
                  ErrorCode::invalid_model, "fmod");
}

}  // namespace
}  // namespace onnxrun
