#include <gtest/gtest.h>

#include <cmath>

#include "onnxrun/session.h"
#include "support/op_tester.h"

namespace onnxrun {
namespace {

TEST(Concat, JoinsAlongAnyAxis) {
  const Tensor a = floats({2, 1}, {1, 2});
  const Tensor b = floats({2, 2}, {3, 4, 5, 6});
  expect_op({.op = "Concat",
             .inputs = {a, b},
             .outputs = {floats({2, 3}, {1, 3, 4, 2, 5, 6})},
             .attributes = {{"axis", int64_t{-1}}}});
  expect_op({.op = "Concat",
             .inputs = {b, b},
             .outputs = {floats({4, 2}, {3, 4, 5, 6, 3, 4, 5, 6})},
             .attributes = {{"axis", int64_t{0}}}});
  expect_op({.op = "Concat",
             .inputs = {strings({0}, {}), strings({2}, {"x", ""})},
             .outputs = {strings({2}, {"x", ""})},
             .attributes = {{"axis", int64_t{0}}}});
}

// Inputs that are made right inside the output.
TEST(Concat, TakesInputsThatWereMadeInPlace) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"1", "64"}).output("y");
  builder.main.node("Neg", {"x"}, {"a"}).node("Abs", {"x"}, {"b"});
  builder.main.node("Concat", {"a", "b"}, {"y"}, {{"axis", int64_t{0}}});
  const Session session(builder.model());
  const Tensor x = random_floats({1, 64}, 5);
  const std::vector<float> y = elements(session.run(std::vector<Value>{x})[0]);
  for (size_t i = 0; i < 64; ++i) {
    EXPECT_EQ(y[i], -x.values<float>()[i]);
    EXPECT_EQ(y[64 + i], std::fabs(x.values<float>()[i]));
  }
}

TEST(Concat, RefusesOtherExtents) {
  expect_op_error({.op = "Concat",
                   .inputs = {floats({1, 2}, {1, 2}), floats({1, 1}, {1})},
                   .outputs = {floats({1}, {1})},
                   .attributes = {{"axis", int64_t{0}}}},
                  ErrorCode::invalid_model, "along axis 1");
}

}  // namespace
}  // namespace onnxrun
