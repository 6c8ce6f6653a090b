#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(BitCast, KeepsTheBits) {
  expect_op({.op = "BitCast",
             .inputs = {floats({2}, {1, -2})},
             .outputs = {numbers(DType::int32, {2}, {0x3f800000, -0x40000000})},
             .attributes = {{"to", int64_t{6}}},
             .opset = 26});
  expect_op_error({.op = "BitCast",
                   .inputs = {floats({1}, {1})},
                   .outputs = {floats({1}, {1})},
                   .attributes = {{"to", int64_t{7}}},
                   .opset = 26},
                  ErrorCode::invalid_model, "width");
}

}  // namespace
}  // namespace onnxrun
