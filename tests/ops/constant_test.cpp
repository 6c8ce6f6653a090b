#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Constant, TakesEveryForm) {
  const auto expect = [](const char* name, ModelBuilder::AttributeArgument value, const Tensor& expected) {
    expect_op({.op = "Constant", .inputs = {}, .outputs = {expected}, .attributes = {{name, std::move(value)}}});
  };
  expect("value", floats({2}, {1, 2}), floats({2}, {1, 2}));
  expect("value_float", 1.5F, floats({}, {1.5F}));
  expect("value_floats", std::vector<float>{1, 2}, floats({2}, {1, 2}));
  expect("value_int", int64_t{3}, integers({}, {3}));
  expect("value_ints", std::vector<int64_t>{3, 4}, integers({2}, {3, 4}));
  expect("value_string", std::string("a"), strings({}, {"a"}));
}

TEST(Constant, NeedsExactlyOneValue) {
  expect_op_error({.op = "Constant", .inputs = {}, .outputs = {floats({}, {1})}}, ErrorCode::invalid_model,
                  "exactly one");
  expect_op_error({.op = "Constant",
                   .inputs = {},
                   .outputs = {floats({}, {1})},
                   .attributes = {{"value_int", int64_t{1}}, {"value_float", 1.0F}}},
                  ErrorCode::invalid_model, "exactly one");
}

}  // namespace
}  // namespace onnxrun
