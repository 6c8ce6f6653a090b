#include <gtest/gtest.h>

#include <cmath>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(LpPool, TakesNormsOfWindows) {
  const auto expect = [](int64_t p, const std::vector<float>& expected) {
    expect_op({.op = "LpPool",
               .inputs = {floats({1, 1, 2, 3}, {3, -4, 1, 0, 0, -2})},
               .outputs = {floats({1, 1, 1, 2}, expected)},
               .attributes = {{"kernel_shape", std::vector<int64_t>{2, 2}}, {"p", p}},
               .relative = 1e-6});
  };
  expect(1, {7, 7});
  expect(2, {5, std::sqrt(21.0F)});
  expect(3, {std::cbrt(91.0F), std::cbrt(73.0F)});
}

TEST(LpPool, FollowsTheWindow) {
  const Tensor x = floats({1, 1, 5}, {1, 2, 3, 4, 5});
  const auto expect = [&](const ModelBuilder::Attributes& more, const std::vector<float>& expected, int64_t opset) {
    ModelBuilder::Attributes attributes = {{"kernel_shape", std::vector<int64_t>{2}}, {"p", int64_t{1}}};
    attributes.insert(attributes.end(), more.begin(), more.end());
    expect_op({.op = "LpPool",
               .inputs = {x},
               .outputs = {floats({1, 1, static_cast<int64_t>(expected.size())}, expected)},
               .attributes = attributes,
               .opset = opset});
  };
  const std::vector<int64_t> two = {2};
  expect({{"strides", two}}, {3, 7}, 11);
  expect({{"strides", two}, {"ceil_mode", int64_t{1}}}, {3, 7, 5}, 18);
  expect({{"dilations", two}}, {4, 6, 8}, 18);
  expect({{"pads", std::vector<int64_t>{1, 1}}, {"strides", two}}, {1, 5, 9}, 2);
  expect({{"auto_pad", std::string("SAME_UPPER")}}, {3, 5, 7, 9, 5}, 22);
  expect({{"auto_pad", std::string("SAME_LOWER")}}, {1, 3, 5, 7, 9}, 22);
}

TEST(LpPool, TakesEveryTypeAndVersion) {
  for (const DType dtype : {DType::float16, DType::bfloat16, DType::float64}) {
    expect_op({.op = "LpPool",
               .inputs = {numbers(dtype, {1, 1, 2}, {3, 4})},
               .outputs = {numbers(dtype, {1, 1, 1}, {5})},
               .attributes = {{"kernel_shape", std::vector<int64_t>{2}}},
               .opset = 22});
    expect_op({.op = "GlobalLpPool",
               .inputs = {numbers(dtype, {1, 2, 2, 1}, {3, -4, 0, -2})},
               .outputs = {numbers(dtype, {1, 2, 1, 1}, {5, 2})},
               .opset = 22});
  }
  // p is a float in version 1: (1 + 32)^(2/5).
  expect_op({.op = "LpPool",
             .inputs = {floats({1, 1, 2}, {1, -4})},
             .outputs = {floats({1, 1, 1}, {std::pow(33.0F, 0.4F)})},
             .attributes = {{"kernel_shape", std::vector<int64_t>{2}}, {"p", 2.5F}},
             .opset = 1,
             .relative = 1e-6});
  expect_op({.op = "GlobalLpPool",
             .inputs = {floats({1, 1, 2}, {1, -4})},
             .outputs = {floats({1, 1, 1}, {std::pow(33.0F, 0.4F)})},
             .attributes = {{"p", 2.5F}},
             .opset = 1,
             .relative = 1e-6});
}

TEST(GlobalLpPool, SumsWholeMaps) {
  const Tensor x = random_floats({2, 3, 5, 7}, 9);
  const auto expect = [&](int64_t p) {
    std::vector<float> expected;
    for (size_t map = 0; map < 6; ++map) {
      double sum = 0;
      for (size_t i = 0; i < 35; ++i) {
        sum += std::pow(std::fabs(static_cast<double>(x.values<float>()[map * 35 + i])), static_cast<double>(p));
      }
      expected.push_back(static_cast<float>(std::pow(sum, 1.0 / static_cast<double>(p))));
    }
    expect_op({.op = "GlobalLpPool",
               .inputs = {x},
               .outputs = {floats({2, 3, 1, 1}, expected)},
               .attributes = {{"p", p}},
               .opset = 2,
               .relative = 1e-5});
  };
  expect(1);
  expect(2);
  expect(4);
  expect_op({.op = "GlobalLpPool", .inputs = {floats({1, 1, 0}, {})}, .outputs = {floats({1, 1, 1}, {0})}, .opset = 2});
}

TEST(LpPool, RefusesWhatDoesNotFit) {
  const Value y = floats({1, 1, 1}, {0});
  expect_op_error({.op = "LpPool", .inputs = {floats({1, 1, 2}, {1, 2})}, .outputs = {y}}, ErrorCode::invalid_model,
                  "kernel_shape");
  expect_op_error({.op = "GlobalLpPool", .inputs = {floats({2}, {1, 2})}, .outputs = {y}}, ErrorCode::invalid_model,
                  "rank 1");
}

}  // namespace
}  // namespace onnxrun
