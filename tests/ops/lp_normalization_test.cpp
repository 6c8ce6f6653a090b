#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(LpNormalization, DividesByTheNormAlongTheAxis) {
  for (const DType dtype : {DType::float32, DType::float64, DType::float16, DType::bfloat16}) {
    expect_op({.op = "LpNormalization",
               .inputs = {numbers(dtype, {2, 2}, {3, -4, 0, 0})},
               .outputs = {numbers(dtype, {2, 2}, {0.6, -0.8, 0, 0})},
               .opset = 22,
               .relative = dtype == DType::float64 ? 1e-15 : 0});
    expect_op({.op = "LpNormalization",
               .inputs = {numbers(dtype, {2, 2}, {1, -6, -3, 2})},
               .outputs = {numbers(dtype, {2, 2}, {0.25, -0.75, -0.75, 0.25})},
               .attributes = {{"axis", int64_t{0}}, {"p", int64_t{1}}},
               .opset = 22});
  }
  expect_op({.op = "LpNormalization",
             .inputs = {floats({2, 2, 1}, {1, -6, -3, 2})},
             .outputs = {floats({2, 2, 1}, {1.0F / 7, -6.0F / 7, -0.6F, 0.4F})},
             .attributes = {{"axis", int64_t{-2}}, {"p", int64_t{1}}},
             .opset = 1});
}

TEST(LpNormalization, HandlesManyColumns) {
  std::vector<float> x;
  std::vector<float> y;
  for (int i = 0; i < 2 * 2 * 300; ++i) {
    const bool second = i / 300 % 2 == 1;
    x.push_back(second ? 4.0F : -3.0F);
    y.push_back(second ? 0.8F : -0.6F);
  }
  expect_op({.op = "LpNormalization",
             .inputs = {floats({2, 2, 300}, x)},
             .outputs = {floats({2, 2, 300}, y)},
             .attributes = {{"axis", int64_t{1}}}});
  // The norm does not overflow where the squares do in float.
  expect_op({.op = "LpNormalization",
             .inputs = {floats({2}, {3e30F, 4e30F})},
             .outputs = {floats({2}, {0.6F, 0.8F})},
             .relative = 1e-6});
  expect_op({.op = "LpNormalization", .inputs = {floats({0, 2}, {})}, .outputs = {floats({0, 2}, {})}});
  expect_op({.op = "LpNormalization", .inputs = {floats({2, 0}, {})}, .outputs = {floats({2, 0}, {})}});
}

TEST(LpNormalization, RefusesWrongAttributes) {
  const Tensor x = floats({2}, {1, 2});
  expect_op_error({.op = "LpNormalization", .inputs = {x}, .outputs = {x}, .attributes = {{"p", int64_t{3}}}},
                  ErrorCode::invalid_model, "'p'");
  expect_op_error({.op = "LpNormalization", .inputs = {x}, .outputs = {x}, .attributes = {{"axis", int64_t{1}}}},
                  ErrorCode::invalid_model, "axis 1 is out of range");
}

}  // namespace
}  // namespace onnxrun
