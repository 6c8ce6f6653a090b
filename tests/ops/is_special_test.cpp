#include <gtest/gtest.h>

#include <limits>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(IsSpecial, TellsNanAndInfinity) {
  const double inf = std::numeric_limits<double>::infinity();
  for (const DType dtype : {DType::float32, DType::float16, DType::float64, DType::bfloat16}) {
    const Tensor data = numbers(dtype, {4}, {1, inf, -inf, std::numeric_limits<double>::quiet_NaN()});
    expect_op({.op = "IsNaN", .inputs = {data}, .outputs = {numbers(DType::boolean, {4}, {0, 0, 0, 1})}});
    expect_op({.op = "IsInf", .inputs = {data}, .outputs = {numbers(DType::boolean, {4}, {0, 1, 1, 0})}});
    expect_op({.op = "IsInf",
               .inputs = {data},
               .outputs = {numbers(DType::boolean, {4}, {0, 1, 0, 0})},
               .attributes = {{"detect_negative", int64_t{0}}}});
  }
  const uint8_t special[] = {0x7c, 0xfc, 0x7f, 0x00};
  const Tensor narrow = Tensor::of<uint8_t>(DType::float8e5m2, {4}, special);
  expect_op({.op = "IsNaN", .inputs = {narrow}, .outputs = {numbers(DType::boolean, {4}, {0, 0, 1, 0})}});
  expect_op({.op = "IsInf", .inputs = {narrow}, .outputs = {numbers(DType::boolean, {4}, {1, 1, 0, 0})}});
}

}  // namespace
}  // namespace onnxrun
