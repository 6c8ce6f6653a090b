#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Split, CutsEqualAndGivenParts) {
  const Tensor data = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  expect_op({.op = "Split",
             .inputs = {data},
             .outputs = {floats({2, 2}, {1, 2, 4, 5}), floats({2, 1}, {3, 6})},
             .attributes = {{"axis", int64_t{1}}, {"num_outputs", int64_t{2}}}});
  expect_op({.op = "Split",
             .inputs = {data, integers({3}, {1, 0, 2})},
             .outputs = {floats({2, 1}, {1, 4}), floats({2, 0}, {}), floats({2, 2}, {2, 3, 5, 6})},
             .attributes = {{"axis", int64_t{-1}}}});
  expect_op(
      {.op = "Split", .inputs = {data}, .outputs = {floats({1, 3}, {1, 2, 3}), floats({1, 3}, {4, 5, 6})}, .opset = 2});
}

TEST(Split, RefusesSizesThatDoNotAddUp) {
  expect_op_error({.op = "Split",
                   .inputs = {floats({3}, {1, 2, 3}), integers({2}, {1, 1})},
                   .outputs = {floats({1}, {1}), floats({1}, {1})}},
                  ErrorCode::run_failed, "split adds up to 2");
  expect_op_error(
      {.op = "Split", .inputs = {floats({3}, {1, 2, 3})}, .outputs = {floats({1}, {1}), floats({1}, {1})}, .opset = 13},
      ErrorCode::invalid_model, "equal parts");
}

}  // namespace
}  // namespace onnxrun
