#include <gtest/gtest.h>

#include <cmath>

#include "onnxrun/session.h"
#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Bernoulli, IsCertainAtTheEnds) {
  const double nan = std::nan("");
  for (const DType dtype : {DType::float32, DType::float64, DType::float16}) {
    expect_op({.op = "Bernoulli",
               .inputs = {numbers(dtype, {2, 3}, {0, 1, -2, 3, nan, 1})},
               .outputs = {numbers(dtype, {2, 3}, {0, 1, 0, 1, 0, 1})},
               .opset = 15});
  }
  for (const DType dtype : {DType::boolean, DType::uint8, DType::int64, DType::bfloat16, DType::float64}) {
    expect_op({.op = "Bernoulli",
               .inputs = {numbers(DType::bfloat16, {3}, {1, 0, 1})},
               .outputs = {numbers(dtype, {3}, {1, 0, 1})},
               .attributes = {{"dtype", static_cast<int64_t>(dtype)}},
               .opset = 22});
  }
  expect_op({.op = "Bernoulli", .inputs = {floats({0}, {})}, .outputs = {floats({0}, {})}, .opset = 15});
}

TEST(Bernoulli, HasTheFrequency) {
  ModelBuilder builder;
  builder.opset = 22;
  builder.main.input("p", DType::float32, {"n"}).output("y");
  builder.main.node("Bernoulli", {"p"}, {"y"}, {{"seed", 1.0F}});
  const Session session(builder.model());
  const std::vector<Value> inputs = {floats({20000}, std::vector<float>(20000, 0.3F))};
  const std::vector<float> first = elements(session.run(inputs)[0]);
  EXPECT_EQ(first, elements(session.run(inputs)[0]));
  double sum = 0;
  for (const float y : first) sum += y;
  EXPECT_NEAR(sum / 20000, 0.3, 5 * std::sqrt(0.21 / 20000));
}

TEST(Bernoulli, RefusesStrings) {
  expect_op_error({.op = "Bernoulli",
                   .inputs = {floats({1}, {0})},
                   .outputs = {floats({1}, {0})},
                   .attributes = {{"dtype", static_cast<int64_t>(DType::string)}}},
                  ErrorCode::invalid_model, "'dtype' cannot be string");
}

}  // namespace
}  // namespace onnxrun
