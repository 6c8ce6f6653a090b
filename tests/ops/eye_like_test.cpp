#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(EyeLike, PlacesADiagonal) {
  const Tensor data = floats({2, 3}, {9, 9, 9, 9, 9, 9});
  expect_op({.op = "EyeLike", .inputs = {data}, .outputs = {floats({2, 3}, {1, 0, 0, 0, 1, 0})}});
  expect_op({.op = "EyeLike",
             .inputs = {data},
             .outputs = {integers({2, 3}, {0, 0, 0, 1, 0, 0})},
             .attributes = {{"k", int64_t{-1}}, {"dtype", int64_t{7}}}});
}

}  // namespace
}  // namespace onnxrun
