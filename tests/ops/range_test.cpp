#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Range, CountsInBothDirections) {
  const auto count = [](double start, double limit, double delta, DType dtype, const std::vector<double>& expected) {
    expect_op({.op = "Range",
               .inputs = {numbers(dtype, {}, {start}), numbers(dtype, {}, {limit}), numbers(dtype, {}, {delta})},
               .outputs = {numbers(dtype, {static_cast<int64_t>(expected.size())}, expected)},
               .opset = dtype == DType::bfloat16 ? 27 : 21});
  };
  count(1, 5, 2, DType::float32, {1, 3});
  count(10, 4, -2, DType::int32, {10, 8, 6});
  count(10, 6, -3, DType::int16, {10, 7});
  count(0, 1, 0.25, DType::float64, {0, 0.25, 0.5, 0.75});
  count(3, 3, 1, DType::int64, {});
  count(5, 3, 1, DType::int64, {});
  count(-1, 1, 0.5, DType::bfloat16, {-1, -0.5, 0, 0.5});
}

TEST(Range, FailsOnADeltaOfZero) {
  expect_op_error({.op = "Range",
                   .inputs = {integers({}, {0}), integers({}, {1}), integers({}, {0})},
                   .outputs = {integers({0}, {})}},
                  ErrorCode::run_failed, "delta");
}

}  // namespace
}  // namespace onnxrun
