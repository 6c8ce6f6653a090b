// MatMul, Gemm and convolutions of one tap on a matrix unit that multiplies bfloat16, which is emulated.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "onnxrun/session.h"
#include "support/emulated_tiles.h"
#include "support/op_tester.h"

namespace onnxrun {
namespace {

using testing::EmulatedTiles;
using ::testing::HasSubstr;
using ::testing::Not;

class SplitMultiply : public ::testing::Test {
 protected:
  void SetUp() override {
    set_split_gemm_for_testing(&testing::kEmulatedSplitGemm);
    EmulatedTiles::multiply_adds() = 0;
  }
  void TearDown() override {
    set_split_gemm_for_testing(nullptr);
    EXPECT_EQ(EmulatedTiles::misuses(), 0);
  }
};

// alpha A B + C, each transposed where it says so, in double.
Tensor product(const Tensor& a, const Tensor& b, const Tensor* c, bool trans_a, bool trans_b, double alpha) {
  const int64_t m = a.shape()[trans_a ? 1 : 0], k = a.shape()[trans_a ? 0 : 1], n = b.shape()[trans_b ? 0 : 1];
  const auto at = [](const Tensor& tensor, int64_t row, int64_t column, bool transposed) {
    if (transposed) std::swap(row, column);
    return static_cast<double>(tensor.values<float>()[static_cast<size_t>(row * tensor.shape()[1] + column)]);
  };
  std::vector<float> result;
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t p = 0; p < k; ++p) sum += at(a, i, p, trans_a) * at(b, p, j, trans_b);
      const double bias = c ? static_cast<double>(c->values<float>()[static_cast<size_t>(j)]) : 0;
      result.push_back(static_cast<float>(alpha * sum + bias));
    }
  }
  return floats({m, n}, result);
}

OpCase matmul() {
  const Tensor a = random_floats({125, 281}, 1), b = random_floats({281, 262}, 2);
  return {.op = "MatMul", .inputs = {a, b}, .outputs = {product(a, b, nullptr, false, false, 1)}, .absolute = 3e-5};
}

TEST_F(SplitMultiply, MatMulOnAnyNumberOfThreads) {
  expect_op(matmul());
  EXPECT_GT(EmulatedTiles::multiply_adds(), 0);
}

TEST_F(SplitMultiply, GemmWithEveryAttribute) {
  const Tensor c = random_floats({260}, 3);
  for (const bool trans : {false, true}) {
    const Tensor a = random_floats(trans ? Shape{256, 96} : Shape{96, 256}, 1);
    const Tensor b = random_floats(trans ? Shape{260, 256} : Shape{256, 260}, 2);
    EmulatedTiles::multiply_adds() = 0;
    expect_op({.op = "Gemm",
               .inputs = {a, b, c},
               .outputs = {product(a, b, &c, trans, trans, 0.5)},
               .attributes = {{"alpha", 0.5F}, {"transA", int64_t{trans}}, {"transB", int64_t{trans}}},
               .absolute = 3e-5});
    EXPECT_GT(EmulatedTiles::multiply_adds(), 0);
  }
}

TEST_F(SplitMultiply, Float16GoesThroughFloat32) {
  std::vector<double> ones(96 * 256), twos(256 * 256, 2.0);
  for (size_t i = 0; i < ones.size(); ++i) ones[i] = i / 256 % 2 ? 1 : -1;
  std::vector<double> sums(96 * 256);
  for (size_t i = 0; i < sums.size(); ++i) sums[i] = i / 256 % 2 ? 512 : -512;
  expect_op({.op = "MatMul",
             .inputs = {numbers(DType::float16, {96, 256}, ones), numbers(DType::float16, {256, 256}, twos)},
             .outputs = {numbers(DType::float16, {96, 256}, sums)}});
  EXPECT_GT(EmulatedTiles::multiply_adds(), 0);
}

TEST_F(SplitMultiply, InfinityAndNanComeOutAsFromDenseKernels) {
  OpCase test = matmul();
  Tensor a = test.inputs[0].tensor().clone();
  a.mutable_values<float>()[40 * 281 + 5] = std::numeric_limits<float>::infinity();
  a.mutable_values<float>()[50 * 281 + 6] = std::numeric_limits<float>::quiet_NaN();
  test.inputs[0] = a;
  test.outputs = {product(a, test.inputs[1].tensor(), nullptr, false, false, 1)};
  expect_op(test);
}

// The model's output, the name of its only step, and whether the unit worked for it.
struct Outcome {
  std::vector<float> y;
  std::string implementation;
  bool used = false;
};
Outcome run_fused(int64_t rows, const SessionOptions& options) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"rows", "288"}).output("y");
  builder.main.constant("w", random_floats({288, 300}, 2)).constant("b", random_floats({300}, 3));
  builder.main.node("MatMul", {"x", "w"}, {"p"}).node("Add", {"p", "b"}, {"s"}).node("Relu", {"s"}, {"y"});
  const Session session(builder.model(), options);
  EmulatedTiles::multiply_adds() = 0;
  Outcome outcome;
  outcome.y = elements(session.run(std::vector<Value>{random_floats({rows, 288}, 1)})[0]);
  const std::vector<StepInfo> steps = session.steps();
  EXPECT_EQ(steps.size(), 1u);
  outcome.implementation = steps.at(0).implementation;
  outcome.used = EmulatedTiles::multiply_adds() > 0;
  return outcome;
}

SessionOptions strict() {
  SessionOptions options;
  options.precision = Precision::strict;
  return options;
}

TEST_F(SplitMultiply, FusedStepsAreThoseOfTheDenseKernels) {
  const Outcome split = run_fused(127, {});
  EXPECT_THAT(split.implementation, HasSubstr("bf16x3"));
  EXPECT_TRUE(split.used);
  set_split_gemm_for_testing(nullptr);
  const Outcome dense = run_fused(127, strict());
  EXPECT_THAT(dense.implementation, Not(HasSubstr("bf16x3")));
  ASSERT_EQ(split.y.size(), dense.y.size());
  for (size_t i = 0; i < dense.y.size(); ++i) ASSERT_NEAR(split.y[i], dense.y[i], 2e-5) << i;
}

TEST_F(SplitMultiply, NotWhenStrictNorWhenSubnormalNumbersStayNorForAFewRows) {
  SessionOptions subnormal;
  subnormal.keep_denormals = true;
  for (const SessionOptions& options : {strict(), subnormal}) {
    const Outcome outcome = run_fused(127, options);
    EXPECT_FALSE(outcome.used);
    EXPECT_THAT(outcome.implementation, Not(HasSubstr("bf16x3")));
  }
  EXPECT_FALSE(run_fused(8, {}).used);
}

// Two images of 160 channels through a bottleneck: a convolution of one tap that is strided, one of three by three, and
// one of one tap with a residual and Relu.
TEST_F(SplitMultiply, ConvolutionsOfOneTap) {
  const auto run = [](const SessionOptions& options, std::string& implementations) {
    ModelBuilder builder;
    builder.main.input("x", DType::float32, {"2", "160", "20", "21"}).output("y");
    builder.main.constant("narrow", random_floats({128, 160, 1, 1}, 2)).constant("b", random_floats({128}, 3));
    builder.main.constant("kernel", random_floats({128, 128, 3, 3}, 4))
        .constant("wide", random_floats({288, 128, 1, 1}, 5));
    builder.main.constant("shortcut", random_floats({288, 160, 1, 1}, 6));
    const std::vector<int64_t> two = {2, 2}, pads = {1, 1, 1, 1};
    builder.main.node("Conv", {"x", "narrow", "b"}, {"n"}, {{"strides", two}}).node("Relu", {"n"}, {"m"});
    builder.main.node("Conv", {"m", "kernel"}, {"k"}, {{"pads", pads}}).node("Relu", {"k"}, {"l"});
    builder.main.node("Conv", {"x", "shortcut"}, {"s"}, {{"strides", two}});
    builder.main.node("Conv", {"l", "wide"}, {"w"}).node("Add", {"w", "s"}, {"a"}).node("Relu", {"a"}, {"y"});
    const Session session(builder.model(), options);
    for (const StepInfo& step : session.steps()) implementations += step.implementation + '\n';
    return elements(session.run(std::vector<Value>{random_floats({2, 160, 20, 21}, 1)})[0]);
  };
  std::string split_implementations, dense_implementations;
  const std::vector<float> split = run({}, split_implementations);
  EXPECT_THAT(split_implementations, HasSubstr("bf16x3 direct"));
  EXPECT_GT(EmulatedTiles::multiply_adds(), 0);
  const std::vector<float> dense = run(strict(), dense_implementations);
  EXPECT_THAT(dense_implementations, Not(HasSubstr("bf16x3")));
  ASSERT_EQ(split.size(), dense.size());
  for (size_t i = 0; i < dense.size(); ++i) ASSERT_NEAR(split[i], dense[i], 2e-3) << i;
  RecordProperty("implementations", split_implementations);
}

}  // namespace
}  // namespace onnxrun
