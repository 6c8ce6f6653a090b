#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

// Extents of the input, cut as a Python slice cuts them.
TEST(Shape, GivesExtents) {
  const Tensor data(DType::string, {3, 0, 5});
  expect_op({.op = "Shape", .inputs = {data}, .outputs = {integers({3}, {3, 0, 5})}});
  expect_op({.op = "Shape", .inputs = {data}, .outputs = {integers({1}, {5})}, .attributes = {{"start", int64_t{-1}}}});
  expect_op({.op = "Shape",
             .inputs = {data},
             .outputs = {integers({2}, {3, 0})},
             .attributes = {{"start", int64_t{-9}}, {"end", int64_t{-1}}}});
  expect_op({.op = "Shape",
             .inputs = {data},
             .outputs = {integers({0}, {})},
             .attributes = {{"start", int64_t{2}}, {"end", int64_t{1}}}});
}

}  // namespace
}  // namespace onnxrun
