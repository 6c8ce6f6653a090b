#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Compress, KeepsWhatTheConditionSays) {
  const Tensor data = floats({3, 2}, {1, 2, 3, 4, 5, 6});
  expect_op({.op = "Compress",
             .inputs = {data, numbers(DType::boolean, {3}, {0, 1, 1})},
             .outputs = {floats({2, 2}, {3, 4, 5, 6})},
             .attributes = {{"axis", int64_t{0}}}});
  expect_op({.op = "Compress", .inputs = {data, numbers(DType::boolean, {2}, {0, 1})}, .outputs = {floats({1}, {2})}});
  expect_op_error({.op = "Compress",
                   .inputs = {data, numbers(DType::boolean, {3}, {0, 0, 1})},
                   .outputs = {data},
                   .attributes = {{"axis", int64_t{1}}}},
                  ErrorCode::run_failed, "condition");
}

}  // namespace
}  // namespace onnxrun
