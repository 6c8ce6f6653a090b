#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Trilu, KeepsATriangle) {
  const Tensor data = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  expect_op({.op = "Trilu", .inputs = {data}, .outputs = {floats({2, 3}, {1, 2, 3, 0, 5, 6})}});
  expect_op({.op = "Trilu", .inputs = {data, integers({}, {1})}, .outputs = {floats({2, 3}, {0, 2, 3, 0, 0, 6})}});
  expect_op({.op = "Trilu",
             .inputs = {data, integers({}, {-1})},
             .outputs = {floats({2, 3}, {0, 0, 0, 4, 0, 0})},
             .attributes = {{"upper", int64_t{0}}}});
  expect_op(
      {.op = "Trilu", .inputs = {data, integers({}, {INT64_MAX})}, .outputs = {floats({2, 3}, {0, 0, 0, 0, 0, 0})}});
  expect_op({.op = "Trilu", .inputs = {data, integers({}, {INT64_MIN})}, .outputs = {data}});
}

}  // namespace
}  // namespace onnxrun
