#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(ScatterND, ReplacesSlices) {
  const Tensor data = floats({3, 2}, {1, 2, 3, 4, 5, 6});
  expect_op({.op = "ScatterND",
             .inputs = {data, integers({2, 1}, {2, 0}), floats({2, 2}, {7, 8, 9, 10})},
             .outputs = {floats({3, 2}, {9, 10, 3, 4, 7, 8})}});
  expect_op({.op = "ScatterND",
             .inputs = {data, integers({2, 2}, {0, 1, 0, -1}), floats({2}, {10, 20})},
             .outputs = {floats({3, 2}, {1, 32, 3, 4, 5, 6})},
             .attributes = {{"reduction", std::string("add")}}});
  expect_op_error(
      {.op = "ScatterND", .inputs = {data, integers({1, 1}, {3}), floats({1, 2}, {1, 2})}, .outputs = {data}},
      ErrorCode::run_failed, "index 3");
}

}  // namespace
}  // namespace onnxrun
