#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(SplitToSequence, CutsByCountOrSizes) {
  const Tensor data = floats({3, 2}, {1, 2, 3, 4, 5, 6});
  expect_op({.op = "SplitToSequence",
             .inputs = {data, integers({}, {2})},
             .outputs = {sequence({floats({2, 2}, {1, 2, 3, 4}), floats({1, 2}, {5, 6})})}});
  expect_op({.op = "SplitToSequence",
             .inputs = {data, integers({2}, {2, 0})},
             .outputs = {sequence({data, floats({3, 0}, {})})},
             .attributes = {{"axis", int64_t{1}}}});
  expect_op({.op = "SplitToSequence",
             .inputs = {data},
             .outputs = {sequence({floats({3}, {1, 3, 5}), floats({3}, {2, 4, 6})})},
             .attributes = {{"axis", int64_t{-1}}, {"keepdims", int64_t{0}}}});
  expect_op_error({.op = "SplitToSequence", .inputs = {data, integers({1}, {2})}, .outputs = {sequence({data})}},
                  ErrorCode::run_failed, "split");
}

}  // namespace
}  // namespace onnxrun
