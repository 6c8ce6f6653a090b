#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Cumulative, AccumulatesInBothDirections) {
  const Tensor data = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  const auto expect = [&](int64_t axis, int64_t exclusive, int64_t reverse, const std::vector<float>& expected) {
    expect_op({.op = "CumSum",
               .inputs = {data, integers({}, {axis})},
               .outputs = {floats({2, 3}, expected)},
               .attributes = {{"exclusive", exclusive}, {"reverse", reverse}}});
  };
  expect(1, 0, 0, {1, 3, 6, 4, 9, 15});
  expect(0, 0, 0, {1, 2, 3, 5, 7, 9});
  expect(-1, 1, 0, {0, 1, 3, 0, 4, 9});
  expect(1, 1, 1, {5, 3, 0, 11, 6, 0});
  expect_op({.op = "CumProd",
             .inputs = {integers({3}, {2, 3, 4}), integers({}, {0})},
             .outputs = {integers({3}, {2, 6, 24})},
             .opset = 26});
}

}  // namespace
}  // namespace onnxrun
