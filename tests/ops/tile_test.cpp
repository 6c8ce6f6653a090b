#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Tile, RepeatsAlongAxes) {
  const Tensor data = floats({2, 2}, {1, 2, 3, 4});
  expect_op({.op = "Tile",
             .inputs = {data, integers({2}, {2, 2})},
             .outputs = {floats({4, 4}, {1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4})}});
  expect_op({.op = "Tile", .inputs = {data, integers({2}, {1, 0})}, .outputs = {floats({2, 0}, {})}});
  expect_op({.op = "Tile",
             .inputs = {data, floats({1}, {2}), floats({1}, {1})},
             .outputs = {floats({2, 4}, {1, 2, 1, 2, 3, 4, 3, 4})},
             .opset = 1});
}

}  // namespace
}  // namespace onnxrun
