#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Det, EliminatesInEveryType) {
  for (const DType dtype : {DType::float32, DType::float64, DType::float16, DType::bfloat16}) {
    expect_op({.op = "Det",
               .inputs = {numbers(dtype, {2, 2}, {0, 2, 3, 4})},
               .outputs = {numbers(dtype, {}, {-6})},
               .opset = 22});
    expect_op({.op = "Det",
               .inputs = {numbers(dtype, {2, 1, 3, 3}, {2, 0, 1, 1, 3, 2, 1, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9})},
               .outputs = {numbers(dtype, {2, 1}, {0, 0})},
               .opset = 22,
               .absolute = 1e-14});
  }
  expect_op({.op = "Det",
             .inputs = {floats({3, 3}, {2, -1, 0, 1, 3, 2, 0, 5, -4})},
             .outputs = {floats({}, {-48})},
             .opset = 11,
             .relative = 1e-6});
}

TEST(Det, TakesEmptyMatricesAndBatches) {
  expect_op({.op = "Det", .inputs = {floats({2, 0, 0}, {})}, .outputs = {floats({2}, {1, 1})}});
  expect_op({.op = "Det", .inputs = {floats({0, 2, 2}, {})}, .outputs = {floats({0}, {})}});
  expect_op({.op = "Det", .inputs = {floats({1, 1}, {-7})}, .outputs = {floats({}, {-7})}});
}

TEST(Det, RefusesWhatIsNotSquare) {
  expect_op_error({.op = "Det", .inputs = {floats({1, 2}, {1, 2})}, .outputs = {floats({}, {0})}},
                  ErrorCode::invalid_model, "square");
  expect_op_error({.op = "Det", .inputs = {floats({2}, {1, 2})}, .outputs = {floats({}, {0})}},
                  ErrorCode::invalid_model, "square");
}

}  // namespace
}  // namespace onnxrun
