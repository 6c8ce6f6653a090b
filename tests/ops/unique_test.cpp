#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Unique, GroupsElementsAndSlices) {
  const Tensor data = floats({6}, {2, 1, 1, 3, 4, 3});
  expect_op({.op = "Unique",
             .inputs = {data},
             .outputs = {floats({4}, {1, 2, 3, 4}), integers({4}, {1, 0, 3, 4}), integers({6}, {1, 0, 0, 2, 3, 2}),
                         integers({4}, {2, 1, 2, 1})}});
  expect_op({.op = "Unique",
             .inputs = {data},
             .outputs = {floats({4}, {2, 1, 3, 4}), Value(), Value(), integers({4}, {1, 2, 2, 1})},
             .attributes = {{"sorted", int64_t{0}}}});
  expect_op({.op = "Unique",
             .inputs = {floats({2, 3}, {1, 0, 1, 2, 0, 2})},
             .outputs = {floats({2, 2}, {0, 1, 0, 2})},
             .attributes = {{"axis", int64_t{1}}}});
  expect_op({.op = "Unique", .inputs = {strings({3}, {"b", "a", "b"})}, .outputs = {strings({2}, {"a", "b"})}});
}

}  // namespace
}  // namespace onnxrun
