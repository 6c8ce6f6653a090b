#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Gather, PicksAlongAnAxis) {
  const Tensor data = floats({3, 2}, {1, 2, 3, 4, 5, 6});
  expect_op(
      {.op = "Gather", .inputs = {data, integers({2, 1}, {2, -3})}, .outputs = {floats({2, 1, 2}, {5, 6, 1, 2})}});
  expect_op({.op = "Gather",
             .inputs = {data, numbers(DType::int32, {}, {1})},
             .outputs = {floats({3}, {2, 4, 6})},
             .attributes = {{"axis", int64_t{1}}}});
  expect_op({.op = "Gather",
             .inputs = {strings({2}, {"a", "b"}), integers({3}, {1, 1, 0})},
             .outputs = {strings({3}, {"b", "b", "a"})}});
  expect_op({.op = "Gather", .inputs = {data, integers({0}, {})}, .outputs = {floats({0, 2}, {})}});
}

TEST(Gather, FailsOnIndicesOutOfRange) {
  for (const int64_t index : {int64_t{3}, int64_t{-4}, INT64_MAX, INT64_MIN}) {
    expect_op_error(
        {.op = "Gather", .inputs = {floats({3}, {1, 2, 3}), integers({1}, {index})}, .outputs = {floats({1}, {1})}},
        ErrorCode::run_failed, "index");
  }
}

}  // namespace
}  // namespace onnxrun
