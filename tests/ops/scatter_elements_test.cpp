#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(ScatterElements, ReplacesAndReduces) {
  const Tensor data = floats({1, 4}, {1, 2, 3, 4});
  const auto expect = [&](const char* reduction, const std::vector<float>& expected) {
    expect_op({.op = "ScatterElements",
               .inputs = {data, integers({1, 3}, {1, 1, -1}), floats({1, 3}, {5, 7, 2})},
               .outputs = {floats({1, 4}, expected)},
               .attributes = {{"axis", int64_t{1}}, {"reduction", std::string(reduction)}}});
  };
  expect("none", {1, 7, 3, 2});
  expect("add", {1, 14, 3, 6});
  expect("mul", {1, 70, 3, 8});
  expect("min", {1, 2, 3, 2});
  expect("max", {1, 7, 3, 4});
  expect_op({.op = "Scatter",
             .inputs = {strings({2}, {"a", "b"}), integers({1}, {0}), strings({1}, {"c"})},
             .outputs = {strings({2}, {"c", "b"})},
             .opset = 9});
}

TEST(ScatterElements, FailsOnWrongIndicesAndTypes) {
  expect_op_error({.op = "ScatterElements",
                   .inputs = {floats({1}, {1}), integers({1}, {1}), floats({1}, {1})},
                   .outputs = {floats({1}, {1})}},
                  ErrorCode::run_failed, "index 1");
  expect_op_error({.op = "ScatterElements",
                   .inputs = {strings({1}, {"a"}), integers({1}, {0}), strings({1}, {"b"})},
                   .outputs = {strings({1}, {"b"})},
                   .attributes = {{"reduction", std::string("add")}}},
                  ErrorCode::invalid_model, "reduction 'add'");
}

}  // namespace
}  // namespace onnxrun
