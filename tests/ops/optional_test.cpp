#include <gtest/gtest.h>

#include "graph/type.h"
#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Optional, WrapsAndUnwraps) {
  const Tensor a = floats({2}, {1, 2});
  const Value wrapped = Optional{nullptr, std::make_shared<const Value>(a)};
  const Value empty = Optional{std::make_shared<const ValueType>(Type::of(Value(a)).declared()), nullptr};
  const auto flag = [](double value) { return numbers(DType::boolean, {}, {value}); };
  expect_op({.op = "Optional", .inputs = {a}, .outputs = {wrapped}});
  expect_op({.op = "OptionalGetElement", .inputs = {wrapped}, .outputs = {a}});
  expect_op({.op = "OptionalGetElement", .inputs = {a}, .outputs = {a}});
  expect_op({.op = "OptionalHasElement", .inputs = {wrapped}, .outputs = {flag(1)}});
  expect_op({.op = "OptionalHasElement", .inputs = {empty}, .outputs = {flag(0)}});
  expect_op({.op = "OptionalHasElement", .inputs = {Value()}, .outputs = {flag(0)}});
  expect_op_error({.op = "OptionalGetElement", .inputs = {empty}, .outputs = {a}}, ErrorCode::run_failed, "empty");
}

}  // namespace
}  // namespace onnxrun
