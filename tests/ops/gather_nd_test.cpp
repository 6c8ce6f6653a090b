#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(GatherND, PicksByTuples) {
  const Tensor data = floats({2, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7});
  expect_op({.op = "GatherND",
             .inputs = {data, integers({2, 1, 2}, {0, 1, 1, -2})},
             .outputs = {floats({2, 1, 2}, {2, 3, 4, 5})}});
  expect_op({.op = "GatherND",
             .inputs = {data, integers({2, 1}, {1, 0})},
             .outputs = {floats({2, 2}, {2, 3, 4, 5})},
             .attributes = {{"batch_dims", int64_t{1}}}});
  expect_op_error({.op = "GatherND", .inputs = {data, integers({1, 2}, {0, 2})}, .outputs = {floats({1, 2}, {0, 0})}},
                  ErrorCode::run_failed, "index 2");
}

}  // namespace
}  // namespace onnxrun
