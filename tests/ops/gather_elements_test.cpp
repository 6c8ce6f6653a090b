#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(GatherElements, PicksElementByElement) {
  const Tensor data = floats({2, 2}, {1, 2, 3, 4});
  expect_op({.op = "GatherElements",
             .inputs = {data, integers({2, 3}, {0, 0, -1, 1, 0, 0})},
             .outputs = {floats({2, 3}, {1, 1, 2, 4, 3, 3})},
             .attributes = {{"axis", int64_t{1}}}});
  expect_op({.op = "GatherElements", .inputs = {data, integers({1, 2}, {1, 0})}, .outputs = {floats({1, 2}, {3, 2})}});
  expect_op_error({.op = "GatherElements", .inputs = {data, integers({1, 1}, {2})}, .outputs = {floats({1, 1}, {1})}},
                  ErrorCode::run_failed, "index 2");
  expect_op_error(
      {.op = "GatherElements", .inputs = {data, integers({1, 3}, {0, 0, 0})}, .outputs = {floats({1, 1}, {1})}},
      ErrorCode::invalid_model, "axis 1");
}

}  // namespace
}  // namespace onnxrun
