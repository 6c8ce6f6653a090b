#include <gtest/gtest.h>

#include <limits>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Clip, KeepsNanAndPrefersTheUpperBound) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const DType dtype : {DType::float32, DType::bfloat16}) {
    const Tensor data = numbers(dtype, {4}, {-3, 0.5, 9, nan});
    expect_op({.op = "Clip",
               .inputs = {data, numbers(dtype, {}, {-1}), numbers(dtype, {}, {1})},
               .outputs = {numbers(dtype, {4}, {-1, 0.5, 1, nan})}});
    expect_op({.op = "Clip",
               .inputs = {data, numbers(dtype, {}, {2}), numbers(dtype, {}, {1})},
               .outputs = {numbers(dtype, {4}, {1, 1, 1, nan})}});
    expect_op({.op = "Clip",
               .inputs = {data, Value(), numbers(dtype, {}, {1})},
               .outputs = {numbers(dtype, {4}, {-3, 0.5, 1, nan})}});
  }
  expect_op({.op = "Clip", .inputs = {integers({2}, {-5, 5}), integers({}, {0})}, .outputs = {integers({2}, {0, 5})}});
  expect_op({.op = "Clip",
             .inputs = {floats({2}, {-5, 5})},
             .outputs = {floats({2}, {-1, 5})},
             .attributes = {{"min", -1.0F}},
             .opset = 6});
}

}  // namespace
}  // namespace onnxrun
