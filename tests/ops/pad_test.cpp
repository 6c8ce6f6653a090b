#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Pad, ContinuesByEveryMode) {
  const Tensor data = floats({1, 3}, {1, 2, 3});
  const Tensor pads = integers({4}, {0, 2, 0, 4});
  const auto expect = [&](const char* mode, const std::vector<float>& expected) {
    expect_op({.op = "Pad",
               .inputs = {data, pads},
               .outputs = {floats({1, 9}, expected)},
               .attributes = {{"mode", std::string(mode)}}});
  };
  expect("constant", {0, 0, 1, 2, 3, 0, 0, 0, 0});
  expect("edge", {1, 1, 1, 2, 3, 3, 3, 3, 3});
  expect("reflect", {3, 2, 1, 2, 3, 2, 1, 2, 3});
  expect("wrap", {2, 3, 1, 2, 3, 1, 2, 3, 1});
}

TEST(Pad, TakesValuesAxesAndNegativePads) {
  const Tensor data = floats({2, 2}, {1, 2, 3, 4});
  expect_op({.op = "Pad",
             .inputs = {data, integers({2}, {1, -1}), floats({}, {9}), integers({1}, {-1})},
             .outputs = {floats({2, 2}, {9, 1, 9, 3})}});
  expect_op(
      {.op = "Pad", .inputs = {strings({1}, {"a"}), integers({2}, {0, 1})}, .outputs = {strings({2}, {"a", ""})}});
  expect_op({.op = "Pad",
             .inputs = {data},
             .outputs = {floats({3, 2}, {5, 5, 1, 2, 3, 4})},
             .attributes = {{"pads", std::vector<int64_t>{1, 0, 0, 0}}, {"value", 5.0F}},
             .opset = 2});
  const uint8_t packed[] = {0x21};
  const uint8_t padded[] = {0x10, 0x02};
  expect_op({.op = "Pad",
             .inputs = {Tensor::of<uint8_t>(DType::uint4, {2}, packed), integers({2}, {1, 1})},
             .outputs = {Tensor::of<uint8_t>(DType::uint4, {4}, padded)}});
}

TEST(Pad, RefusesWhatItCannotContinue) {
  expect_op_error({.op = "Pad",
                   .inputs = {floats({0}, {}), integers({2}, {1, 0})},
                   .outputs = {floats({1}, {1})},
                   .attributes = {{"mode", std::string("edge")}}},
                  ErrorCode::run_failed, "nothing to continue");
  expect_op_error({.op = "Pad", .inputs = {floats({1}, {1}), integers({1}, {1})}, .outputs = {floats({1}, {1})}},
                  ErrorCode::run_failed, "pads");
}

}  // namespace
}  // namespace onnxrun
