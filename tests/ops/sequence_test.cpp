#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Sequence, BuildsAndReads) {
  const Tensor a = floats({2}, {1, 2});
  const Tensor b = floats({1}, {3});
  expect_op({.op = "SequenceConstruct", .inputs = {a, b}, .outputs = {sequence({a, b})}});
  expect_op({.op = "SequenceEmpty", .inputs = {}, .outputs = {sequence({})}});
  expect_op({.op = "SequenceAt", .inputs = {sequence({a, b}), integers({}, {-1})}, .outputs = {b}});
  expect_op({.op = "SequenceErase", .inputs = {sequence({a, b}), integers({}, {0})}, .outputs = {sequence({b})}});
  expect_op({.op = "SequenceErase", .inputs = {sequence({a, b})}, .outputs = {sequence({a})}});
  expect_op({.op = "SequenceInsert", .inputs = {sequence({a}), b, integers({}, {-1})}, .outputs = {sequence({b, a})}});
  expect_op({.op = "SequenceInsert", .inputs = {sequence({a}), b}, .outputs = {sequence({a, b})}});
  expect_op({.op = "SequenceLength", .inputs = {sequence({a, b})}, .outputs = {integers({}, {2})}});
}

TEST(Sequence, FailsOnPositionsOutOfRange) {
  const Tensor a = floats({1}, {1});
  for (const int64_t position : {int64_t{1}, int64_t{-2}, INT64_MIN}) {
    expect_op_error({.op = "SequenceAt", .inputs = {sequence({a}), integers({}, {position})}, .outputs = {a}},
                    ErrorCode::run_failed, "position");
    expect_op_error(
        {.op = "SequenceErase", .inputs = {sequence({a}), integers({}, {position})}, .outputs = {sequence({a})}},
        ErrorCode::run_failed, "position");
  }
}

}  // namespace
}  // namespace onnxrun
