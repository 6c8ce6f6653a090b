#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(ArgExtremum, FindsTheFirstOrLast) {
  const Tensor data = floats({2, 3}, {2, 7, 7, 1, 0, 0});
  expect_op(
      {.op = "ArgMax", .inputs = {data}, .outputs = {integers({2, 1}, {1, 0})}, .attributes = {{"axis", int64_t{-1}}}});
  expect_op({.op = "ArgMax",
             .inputs = {data},
             .outputs = {integers({2}, {2, 0})},
             .attributes = {{"axis", int64_t{1}}, {"keepdims", int64_t{0}}, {"select_last_index", int64_t{1}}}});
  expect_op({.op = "ArgMin", .inputs = {data}, .outputs = {integers({1, 3}, {1, 1, 1})}});
  expect_op({.op = "ArgMin",
             .inputs = {numbers(DType::int8, {3}, {1, -5, -5})},
             .outputs = {integers({1}, {2})},
             .attributes = {{"select_last_index", int64_t{1}}}});
}

TEST(ArgExtremum, CountsNanAsExtremum) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  expect_op({.op = "ArgMax", .inputs = {floats({4}, {1, nan, 9, nan})}, .outputs = {integers({1}, {1})}});
  expect_op({.op = "ArgMin", .inputs = {floats({4}, {1, nan, 9, nan})}, .outputs = {integers({1}, {1})}});
}

// Columns side by side, more than are scanned together, against the definition.
TEST(ArgExtremum, ScansColumns) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  constexpr int64_t kExtent = 5, kInner = 300;
  std::vector<float> values(2 * kExtent * kInner);
  for (size_t i = 0; i < values.size(); ++i) values[i] = i * 7919 % 97 < 3 ? nan : static_cast<float>(i * 31 % 4);
  for (const bool largest : {true, false}) {
    for (const bool last : {false, true}) {
      std::vector<int64_t> expected;
      for (int64_t column = 0; column < 2 * kInner; ++column) {
        const auto at = [&](int64_t k) { return values[(column / kInner * kExtent + k) * kInner + column % kInner]; };
        const auto rank = [&](int64_t k) { return at(k) != at(k) ? 1e9F : largest ? at(k) : -at(k); };
        int64_t best = 0;
        for (int64_t k = 1; k < kExtent; ++k) best = rank(k) > rank(best) || (last && rank(k) == rank(best)) ? k : best;
        expected.push_back(best);
      }
      expect_op({.op = largest ? "ArgMax" : "ArgMin",
                 .inputs = {floats({2, kExtent, kInner}, values)},
                 .outputs = {integers({2, 1, kInner}, expected)},
                 .attributes = {{"axis", int64_t{1}}, {"select_last_index", int64_t{last}}}});
    }
  }
}

TEST(ArgExtremum, NeedsElements) {
  expect_op_error({.op = "ArgMax", .inputs = {floats({0}, {})}, .outputs = {integers({1}, {0})}},
                  ErrorCode::invalid_model, "axis 0");
}

}  // namespace
}  // namespace onnxrun
