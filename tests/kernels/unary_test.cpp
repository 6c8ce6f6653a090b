#include "kernels/unary/unary.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "kernels/epilogue.h"
#include "kernels/kernel_test.h"
#include "kernels/unary/unary_reference.h"
#include "support/error_measure.h"

namespace onnxrun::testing {
namespace {

struct Case {
  const char* name;
  UnaryKind kind;
  double max_ulp;           // 0: exact
  double max_absolute = 0;  // allowed besides, as a multiple of max(|x|, smallest float)
  float alpha = 0, beta = 0;
};

// Where the exponential within is subnormal, its error is that of its last bit.
constexpr double kSubnormal = 1e-43;

constexpr Case kCases[] = {
    {"identity", UnaryKind::identity, 0},
    {"abs", UnaryKind::abs, 0},
    {"neg", UnaryKind::neg, 0},
    {"sign", UnaryKind::sign, 0},
    {"reciprocal", UnaryKind::reciprocal, 0.5},
    {"sqrt", UnaryKind::sqrt, 0.5},
    {"floor", UnaryKind::floor, 0},
    {"ceil", UnaryKind::ceil, 0},
    {"round", UnaryKind::round, 0},
    {"exp", UnaryKind::exp, 2},
    {"log", UnaryKind::log, 2},
    {"erf", UnaryKind::erf, 6},
    {"tanh", UnaryKind::tanh, 3},
    {"sigmoid", UnaryKind::sigmoid, 3},
    {"softplus", UnaryKind::softplus, 3},
    {"softsign", UnaryKind::softsign, 1.5},
    {"relu", UnaryKind::relu, 0},
    {"leaky_relu", UnaryKind::leaky_relu, 0.5, 0, 0.1f},
    {"elu", UnaryKind::elu, 3, 0, 1.5f},
    {"selu", UnaryKind::selu, 4, 0, 1.67326324f, 1.05070098f},
    {"celu", UnaryKind::celu, 4, 0, 1.5f},
    {"thresholded_relu", UnaryKind::thresholded_relu, 0, 0, 1.0f},
    {"hard_sigmoid", UnaryKind::hard_sigmoid, 2, 1e-7, 0.2f, 0.5f},
    {"hard_swish", UnaryKind::hard_swish, 2, 1e-7},
    {"gelu_erf", UnaryKind::gelu_erf, 4, 3e-7},
    {"gelu_tanh", UnaryKind::gelu_tanh, 4, 2e-7},
    {"silu", UnaryKind::silu, 4, kSubnormal, 1.0f},
    {"swish", UnaryKind::silu, 4, 1e-7, 1.702f},
    {"mish", UnaryKind::mish, 5, kSubnormal},
    {"clip", UnaryKind::clip, 0, 0, -2.0f, 3.0f},
    {"sin", UnaryKind::sin, 4},
    {"cos", UnaryKind::cos, 4},
    {"tan", UnaryKind::tan, 4},
    {"asin", UnaryKind::asin, 4},
    {"acos", UnaryKind::acos, 4},
    {"atan", UnaryKind::atan, 4},
    {"sinh", UnaryKind::sinh, 4},
    {"cosh", UnaryKind::cosh, 4},
    {"asinh", UnaryKind::asinh, 4},
    {"acosh", UnaryKind::acosh, 4},
    {"atanh", UnaryKind::atanh, 4},
};

// Floats of every exponent and sign, densely where functions bend, and the special ones.
std::vector<float> sweep() {
  std::vector<float> values;
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += 4099) {
    const float x = std::bit_cast<float>(static_cast<uint32_t>(bits));
    if (!std::isnan(x)) values.push_back(x);
  }
  for (int i = -400000; i <= 400000; ++i) values.push_back(static_cast<float>(i) * 2.7e-4f);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float x : {0.0f, 0.5f, 1.0f, 1.5f, 2.5f, 88.7228f, 88.7229f, 103.97f, 104.0f, 8388607.5f, 8388609.0f,
                        kInfinity, std::numeric_limits<float>::max(), std::numeric_limits<float>::min(),
                        std::numeric_limits<float>::denorm_min()}) {
    values.push_back(x);
    values.push_back(-x);
  }
  return values;
}

class UnaryTest : public IsaTest {};

TEST_P(UnaryTest, ErrorsStayWithinTheirBounds) {
  const std::vector<float> src = sweep();
  std::vector<float> dst(src.size());
  for (const Case& c : kCases) {
    unary_f32(c.kind)(src.data(), dst.data(), src.size(), c.alpha, c.beta);
    ErrorMeasure error;
    double worst_absolute = 0;
    for (size_t i = 0; i < src.size(); ++i) {
      const double x = static_cast<double>(src[i]);
      const double exact = unary_reference(c.kind, x, static_cast<double>(c.alpha), static_cast<double>(c.beta));
      const double absolute = std::fabs(static_cast<double>(dst[i]) - exact);
      if (c.max_absolute > 0 && absolute <= c.max_absolute * std::max(std::fabs(x), 1e-37)) {
        worst_absolute = std::max(worst_absolute, absolute / std::max(std::fabs(x), 1e-37));
        continue;
      }
      const size_t before = error.special_mismatches();
      error.add(dst[i], exact);
      ASSERT_EQ(error.special_mismatches(), before) << c.name << '(' << src[i] << ") = " << dst[i] << " for " << exact;
    }
    EXPECT_LE(error.max_ulp(), c.max_ulp) << c.name << ": " << error;
    RecordProperty(c.name, std::to_string(error.max_ulp()));
  }
}

TEST(UnaryF64, RowsAreTheNumbersOneByOne) {
  const std::vector<float> floats = sweep();
  const std::vector<double> src(floats.begin(), floats.end());
  for (const Case& c : kCases) {
    const double alpha = static_cast<double>(c.alpha), beta = static_cast<double>(c.beta);
    std::vector<double> dst = src;
    unary_f64(c.kind)(dst.data(), dst.data(), dst.size(), alpha, beta);
    for (size_t i = 0; i < src.size(); ++i) {
      const double exact = unary_reference(c.kind, src[i], alpha, beta);
      ASSERT_TRUE(dst[i] == exact || (std::isnan(dst[i]) && std::isnan(exact))) << c.name << '(' << src[i] << ')';
    }
  }
}

TEST(UnaryF64, IsTheLibrarysFunction) {
  for (const double x : {-2.5, -0.3, -0.0, 0.7, 1.0, 40.0}) {
    EXPECT_EQ(unary_reference(UnaryKind::exp, x, 0, 0), std::exp(x));
    EXPECT_EQ(unary_reference(UnaryKind::tanh, x, 0, 0), std::tanh(x));
    EXPECT_EQ(unary_reference(UnaryKind::sin, x, 0, 0), std::sin(x));
    EXPECT_EQ(unary_reference(UnaryKind::erf, x, 0, 0), std::erf(x));
    EXPECT_EQ(unary_reference(UnaryKind::floor, x, 0, 0), std::floor(x));
    EXPECT_EQ(unary_reference(UnaryKind::relu, x, 0, 0), std::max(x, 0.0));
    EXPECT_EQ(unary_reference(UnaryKind::sqrt, std::fabs(x), 0, 0), std::sqrt(std::fabs(x)));
    EXPECT_EQ(unary_reference(UnaryKind::log, std::fabs(x), 0, 0), std::log(std::fabs(x)));
  }
}

TEST_P(UnaryTest, NanStaysNan) {
  const std::vector<float> src(19, std::numeric_limits<float>::quiet_NaN());
  std::vector<float> dst(src.size());
  for (const Case& c : kCases) {
    unary_f32(c.kind)(src.data(), dst.data(), src.size(), c.alpha, c.beta);
    for (const float x : dst) EXPECT_TRUE(std::isnan(x)) << c.name;
  }
}

TEST_P(UnaryTest, NegativeZeroKeepsItsSign) {
  for (const UnaryKind kind :
       {UnaryKind::identity, UnaryKind::sqrt, UnaryKind::floor, UnaryKind::ceil, UnaryKind::round, UnaryKind::erf,
        UnaryKind::tanh, UnaryKind::softsign, UnaryKind::sin, UnaryKind::tan, UnaryKind::asin, UnaryKind::atan,
        UnaryKind::sinh, UnaryKind::asinh, UnaryKind::atanh}) {
    const float src[5] = {-0.0f, -0.0f, -0.0f, -0.0f, -0.0f};
    float dst[5];
    unary_f32(kind)(src, dst, 5, 0, 0);
    for (const float x : dst) EXPECT_TRUE(x == 0 && std::signbit(x)) << "kind " << static_cast<int>(kind);
  }
}

TEST_P(UnaryTest, WritesExactlyTheRowInPlaceToo) {
  for (size_t n = 0; n <= 40; ++n) {
    std::vector<float> src(n), in_place(n + 1, 7.0f);
    for (size_t i = 0; i < n; ++i) src[i] = in_place[i] = static_cast<float>(i) / 8 - 2;
    const Buffer<float> dst(n);
    for (const Case& c : kCases) {
      std::vector<float> copy = in_place;
      unary_f32(c.kind)(src.data(), dst.get(), n, c.alpha, c.beta);
      unary_f32(c.kind)(copy.data(), copy.data(), n, c.alpha, c.beta);
      EXPECT_EQ(std::memcmp(copy.data(), dst.get(), n * sizeof(float)), 0) << c.name << ' ' << n;
      EXPECT_EQ(copy[n], 7.0f) << c.name << ' ' << n;
    }
  }
}

TEST_P(UnaryTest, EpilogueRowFollowsTheSteps) {
  Random random;
  SCOPED_TRACE(random.seed());
  const std::vector<float> start = random.floats(77, -4, 4);
  const std::vector<float> residual = random.floats(77, -4, 4);
  for (const EpilogueKind kind :
       {EpilogueKind::relu, EpilogueKind::leaky_relu, EpilogueKind::clip, EpilogueKind::sigmoid, EpilogueKind::silu,
        EpilogueKind::hard_sigmoid, EpilogueKind::hard_swish, EpilogueKind::tanh, EpilogueKind::mish,
        EpilogueKind::softplus, EpilogueKind::gelu_erf, EpilogueKind::gelu_tanh, EpilogueKind::quantize,
        EpilogueKind::add_residual}) {
    const EpilogueStep steps[] = {{kind, 0.25f, 0.5f, 3}, {EpilogueKind::add_residual}, {EpilogueKind::clip, -3, 3}};
    std::vector<float> row = start;
    epilogue_row_f32()(row.data(), residual.data(), row.size(), steps, 3);
    for (size_t i = 0; i < row.size(); ++i) {
      const double exact = epilogue_reference(static_cast<double>(start[i]), &residual[i], steps, 3);
      EXPECT_NEAR(static_cast<double>(row[i]), exact, 3e-6) << "kind " << static_cast<int>(kind) << " of " << start[i];
    }
  }
}

ONNXRUN_FOR_EACH_ISA(UnaryTest);

}  // namespace
}  // namespace onnxrun::testing
