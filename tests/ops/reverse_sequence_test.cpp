#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(ReverseSequence, ReversesTheBeginningOfEachSequence) {
  const Tensor data = floats({3, 2}, {1, 2, 3, 4, 5, 6});
  expect_op({.op = "ReverseSequence",
             .inputs = {data, integers({2}, {3, 2})},
             .outputs = {floats({3, 2}, {5, 4, 3, 2, 1, 6})}});
  expect_op({.op = "ReverseSequence",
             .inputs = {data, integers({3}, {2, 1, 2})},
             .outputs = {floats({3, 2}, {2, 1, 3, 4, 6, 5})},
             .attributes = {{"batch_axis", int64_t{0}}, {"time_axis", int64_t{1}}}});
  expect_op_error({.op = "ReverseSequence", .inputs = {data, integers({2}, {4, 0})}, .outputs = {data}},
                  ErrorCode::run_failed, "length is 4");
}

}  // namespace
}  // namespace onnxrun
