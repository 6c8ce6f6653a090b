#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "onnxrun/session.h"
#include "support/op_tester.h"

namespace onnxrun {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(Multinomial, DrawsWhatIsCertain) {
  const double nan = std::nan("");
  for (const DType dtype : {DType::float32, DType::float64, DType::float16}) {
    expect_op({.op = "Multinomial",
               .inputs = {numbers(dtype, {3, 3}, {-kInfinity, 0, -kInfinity, 5, nan, -kInfinity, 1, 2, kInfinity})},
               .outputs = {numbers(DType::int32, {3, 2}, {1, 1, 0, 0, 2, 2})},
               .attributes = {{"sample_size", int64_t{2}}},
               .opset = 7});
  }
  expect_op({.op = "Multinomial",
             .inputs = {numbers(DType::bfloat16, {2, 1}, {-3, 4})},
             .outputs = {integers({2, 1}, {0, 0})},
             .attributes = {{"dtype", int64_t{7}}},
             .opset = 22});
  expect_op({.op = "Multinomial", .inputs = {floats({0, 4}, {})}, .outputs = {numbers(DType::int32, {0, 1}, {})}});
}

TEST(Multinomial, HasTheFrequencies) {
  ModelBuilder builder;
  builder.opset = 22;
  builder.main.input("x", DType::float32, {"2", "3"}).output("y");
  builder.main.node("Multinomial", {"x"}, {"y"},
                    {{"seed", 9.0F}, {"sample_size", int64_t{20000}}, {"dtype", int64_t{7}}});
  const Session session(builder.model());
  // Weights 1:2:5, once as they are and once scaled by e^100.
  const float scale = 100;
  const std::vector<Value> inputs = {
      floats({2, 3}, {0, std::log(2.0F), std::log(5.0F), scale, scale + std::log(2.0F), scale + std::log(5.0F)})};
  const Value result = session.run(inputs)[0];
  const auto drawn = result.tensor().values<int64_t>();
  const double expected[] = {0.125, 0.25, 0.625};
  for (size_t row = 0; row < 2; ++row) {
    double counts[3] = {};
    for (size_t i = 0; i < 20000; ++i) counts[drawn[row * 20000 + i]] += 1;
    for (size_t c = 0; c < 3; ++c) {
      EXPECT_NEAR(counts[c] / 20000, expected[c], 5 * std::sqrt(expected[c] * (1 - expected[c]) / 20000));
    }
  }
}

TEST(Multinomial, RefusesWhatCannotBeDrawn) {
  expect_op_error({.op = "Multinomial",
                   .inputs = {numbers(DType::float32, {1, 2}, {-kInfinity, -kInfinity})},
                   .outputs = {numbers(DType::int32, {1, 1}, {0})}},
                  ErrorCode::run_failed, "row 0 has no class");
  expect_op_error(
      {.op = "Multinomial", .inputs = {floats({2}, {0, 0})}, .outputs = {numbers(DType::int32, {1, 1}, {0})}},
      ErrorCode::invalid_model, "[batch_size, class_size]");
}

}  // namespace
}  // namespace onnxrun
