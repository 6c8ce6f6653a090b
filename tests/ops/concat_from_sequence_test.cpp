#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(ConcatFromSequence, JoinsOrStacks) {
  const Tensor a = floats({1, 2}, {1, 2});
  const Tensor b = floats({1, 2}, {3, 4});
  expect_op({.op = "ConcatFromSequence",
             .inputs = {sequence({a, b})},
             .outputs = {floats({2, 2}, {1, 2, 3, 4})},
             .attributes = {{"axis", int64_t{0}}}});
  expect_op({.op = "ConcatFromSequence",
             .inputs = {sequence({a, b})},
             .outputs = {floats({1, 2, 2}, {1, 3, 2, 4})},
             .attributes = {{"axis", int64_t{-1}}, {"new_axis", int64_t{1}}}});
  expect_op_error({.op = "ConcatFromSequence",
                   .inputs = {sequence({a, floats({1, 3}, {1, 2, 3})})},
                   .outputs = {a},
                   .attributes = {{"axis", int64_t{0}}}},
                  ErrorCode::run_failed, "concatenated");
}

}  // namespace
}  // namespace onnxrun
