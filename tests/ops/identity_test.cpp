#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Identity, HandsOnTensorsAndSequences) {
  const Tensor data = random_floats({2, 3}, 1);
  expect_op({.op = "Identity", .inputs = {data}, .outputs = {data}});
  expect_op({.op = "Identity", .inputs = {strings({1}, {"a"})}, .outputs = {strings({1}, {"a"})}, .opset = 1});
  const Value list = sequence({data, floats({1}, {2})});
  expect_op({.op = "Identity", .inputs = {list}, .outputs = {list}});
}

}  // namespace
}  // namespace onnxrun
