#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Unsqueeze, AddsAxesOfTheOutput) {
  const Tensor data = random_floats({3, 2}, 1);
  expect_op({.op = "Unsqueeze", .inputs = {data, integers({2}, {0, -1})}, .outputs = {data.reshaped({1, 3, 2, 1})}});
  expect_op({.op = "Unsqueeze", .inputs = {data, integers({2}, {3, 1})}, .outputs = {data.reshaped({3, 1, 2, 1})}});
  expect_op({.op = "Unsqueeze",
             .inputs = {data},
             .outputs = {data.reshaped({1, 3, 2})},
             .attributes = {{"axes", std::vector<int64_t>{0}}},
             .opset = 11});
}

TEST(Unsqueeze, RefusesAnAxisThatIsThereTwice) {
  expect_op_error({.op = "Unsqueeze",
                   .inputs = {floats({1}, {1})},
                   .outputs = {floats({1}, {1})},
                   .attributes = {{"axes", std::vector<int64_t>{0, -3}}},
                   .opset = 11},
                  ErrorCode::invalid_model, "twice");
}

}  // namespace
}  // namespace onnxrun
