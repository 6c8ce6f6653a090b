#include "ops/support/random.h"

#include <gtest/gtest.h>

#include <cmath>

#include "onnxrun/session.h"
#include "support/op_tester.h"

namespace onnxrun {
namespace {

using Block = std::array<uint32_t, 4>;

// The known answers that the authors of the generator publish.
TEST(RandomStream, GivesKnownAnswers) {
  EXPECT_EQ(ops::RandomStream::block(0, {}), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const uint32_t ones = 0xffffffff;
  EXPECT_EQ(ops::RandomStream::block(~uint64_t{0}, {ones, ones, ones, ones}),
            (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(ops::RandomStream::block(0x299f31d0a4093822, {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomStream, IsTheSameInParts) {
  const ops::RandomStream stream(7);
  std::array<uint32_t, 11> whole;
  stream.fill(0, whole);
  std::array<uint32_t, 11> parts;
  stream.fill(5, {parts.data() + 5, 6});
  stream.fill(0, {parts.data(), 2});
  stream.fill(2, {parts.data() + 2, 3});
  EXPECT_EQ(whole, parts);
}

TEST(NormalQuantile, InvertsTheDistribution) {
  EXPECT_EQ(ops::normal_quantile(0.5), 0);
  for (const double z : {-8.0, -5.5, -3.0, -1.5, -1.1, -0.3, 0.2, 1.4, 2.5, 4.0}) {
    const double p = 0.5 * std::erfc(-z / std::sqrt(2.0));
    EXPECT_NEAR(ops::normal_quantile(p), z, std::fabs(z) * (z > 3 ? 1e-11 : 1e-13)) << z;
  }
}

constexpr int64_t kNumber(DType dtype) { return static_cast<int64_t>(dtype); }

TEST(RandomUniform, TakesTheLeadingBits) {
  const double unit = std::ldexp(1, -24);
  const std::vector<double> u = {0x6627e8 * unit, 0xe169c5 * unit, 0xbc57ac * unit, 0x9b00db * unit};
  for (const int64_t opset : {1, 22}) {
    expect_op({.op = "RandomUniform",
               .inputs = {},
               .outputs = {numbers(DType::float32, {2, 2}, u)},
               .attributes = {{"shape", std::vector<int64_t>{2, 2}}, {"seed", 0.0F}},
               .opset = opset});
  }
  expect_op({.op = "RandomUniform",
             .inputs = {},
             .outputs = {numbers(DType::float32, {2}, {u[0] * 4 - 1, u[1] * 4 - 1})},
             .attributes = {{"shape", std::vector<int64_t>{2}}, {"seed", 0.0F}, {"low", -1.0F}, {"high", 3.0F}},
             .opset = 22,
             .relative = 1e-6});
  const double wide = std::ldexp(static_cast<double>(0x6627e8d5e169c58d >> 11), -53);
  expect_op({.op = "RandomUniform",
             .inputs = {},
             .outputs = {numbers(DType::float64, {}, {wide})},
             .attributes = {{"shape", std::vector<int64_t>{}}, {"seed", 0.0F}, {"dtype", kNumber(DType::float64)}}});
  expect_op({.op = "RandomUniformLike",
             .inputs = {strings({1, 2}, {"a", "b"})},
             .outputs = {numbers(DType::float16, {1, 2}, {(0x6627e8d5 >> 21) / 2048.0, (0xe169c58d >> 21) / 2048.0})},
             .attributes = {{"seed", 0.0F}, {"dtype", kNumber(DType::float16)}}});
  expect_op({.op = "RandomUniformLike",
             .inputs = {numbers(DType::bfloat16, {2}, {0, 0})},
             .outputs = {numbers(DType::bfloat16, {2}, {0x66 / 256.0, 0xe1 / 256.0})},
             .attributes = {{"seed", 0.0F}},
             .opset = 22});
  expect_op({.op = "RandomUniformLike",
             .inputs = {floats({0, 3}, {})},
             .outputs = {floats({0, 3}, {})},
             .attributes = {{"seed", 0.0F}}});
}

// Output 0 of one node, in each of `runs` runs.
std::vector<std::vector<float>> draw(const std::string& op, const ModelBuilder::Attributes& attributes, int runs) {
  ModelBuilder builder;
  builder.opset = 22;
  builder.main.output("y").node(op, {}, {"y"}, attributes);
  const Session session(builder.model());
  std::vector<std::vector<float>> results;
  for (int i = 0; i < runs; ++i) results.push_back(elements(session.run(std::span<const Value>())[0]));
  return results;
}

TEST(RandomNormal, HasMeanAndDeviation) {
  const auto results = draw(
      "RandomNormal", {{"shape", std::vector<int64_t>{100000}}, {"seed", 3.5F}, {"mean", 2.0F}, {"scale", 0.5F}}, 2);
  EXPECT_EQ(results[0], results[1]);
  double sum = 0;
  double squares = 0;
  int64_t beyond = 0;
  for (const float x : results[0]) {
    sum += x;
    squares += (x - 2.0) * (x - 2.0);
    beyond += std::fabs(x - 2.0) > 1.0 ? 1 : 0;
  }
  // Five standard errors each.
  EXPECT_NEAR(sum / 1e5, 2, 5 * 0.5 / std::sqrt(1e5));
  EXPECT_NEAR(squares / 1e5, 0.25, 5 * 0.25 * std::sqrt(2 / 1e5));
  EXPECT_NEAR(static_cast<double>(beyond) / 1e5, 0.0455, 5 * std::sqrt(0.0455 / 1e5));
}

TEST(RandomNormal, DrawsQuantiles) {
  const double p = (0x6627e8d5 + 0.5) / 4294967296.0;
  const double z = -0.2558159704329815;
  EXPECT_NEAR(0.5 * std::erfc(-z / std::sqrt(2.0)), p, 1e-12);
  for (const DType dtype : {DType::float32, DType::float64, DType::float16, DType::bfloat16}) {
    const double tolerance = dtype == DType::bfloat16 ? 1e-2 : dtype == DType::float16 ? 1e-3 : 1e-4;
    expect_op({.op = "RandomNormalLike",
               .inputs = {numbers(DType::int8, {1}, {0})},
               .outputs = {numbers(dtype, {1}, {1 + 2 * z})},
               .attributes = {{"seed", 0.0F}, {"mean", 1.0F}, {"scale", 2.0F}, {"dtype", kNumber(dtype)}},
               .opset = 22,
               .absolute = tolerance});
  }
}

TEST(Random, DiffersFromRunToRunWithoutSeed) {
  for (const char* op : {"RandomNormal", "RandomUniform"}) {
    const auto results = draw(op, {{"shape", std::vector<int64_t>{8}}}, 2);
    EXPECT_NE(results[0], results[1]);
  }
}

TEST(Random, RefusesWhatTheStandardDoes) {
  expect_op_error({.op = "RandomNormal", .inputs = {}, .outputs = {floats({1}, {0})}, .attributes = {}},
                  ErrorCode::invalid_model, "'shape' is required");
  expect_op_error({.op = "RandomNormal",
                   .inputs = {},
                   .outputs = {floats({1}, {0})},
                   .attributes = {{"shape", std::vector<int64_t>{-1}}}},
                  ErrorCode::invalid_model, "'shape' has -1");
  expect_op_error({.op = "RandomUniformLike", .inputs = {integers({1}, {0})}, .outputs = {floats({1}, {0})}},
                  ErrorCode::invalid_model, "cannot be int64");
  expect_op_error({.op = "RandomUniform",
                   .inputs = {},
                   .outputs = {floats({1}, {0})},
                   .attributes = {{"shape", std::vector<int64_t>{1}}, {"dtype", kNumber(DType::bfloat16)}},
                   .opset = 21},
                  ErrorCode::invalid_model, "cannot be bfloat16");
}

}  // namespace
}  // namespace onnxrun
