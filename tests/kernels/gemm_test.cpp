#include "kernels/gemm/gemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/kernel_test.h"

namespace onnxrun::testing {
namespace {

const GemmKernels& kernels(float) { return gemm_kernels(); }
const GemmKernelsF64& kernels(double) { return gemm_kernels_f64(); }

struct Shape {
  size_t m, n, k;
  bool transpose_a = false, transpose_b = false;
  size_t padding = 0;  // of the rows of A, B and C
};

template <class T>
struct Problem {
  Shape shape;
  std::vector<T> a, b, bias, residual, c;
  std::vector<EpilogueStep> steps;
  ptrdiff_t a_row, a_col, b_row, b_col, c_row;

  Problem(const Shape& s, Random& random) : shape(s) {
    const auto matrix = [&](size_t rows, size_t cols) {
      const std::vector<float> values = random.floats(rows * (cols + s.padding));
      return std::vector<T>(values.begin(), values.end());
    };
    a = s.transpose_a ? matrix(s.k, s.m) : matrix(s.m, s.k);
    b = s.transpose_b ? matrix(s.n, s.k) : matrix(s.k, s.n);
    bias = matrix(1, s.n);
    residual = matrix(s.m, s.n);
    a_row = s.transpose_a ? 1 : static_cast<ptrdiff_t>(s.k + s.padding);
    a_col = s.transpose_a ? static_cast<ptrdiff_t>(s.m + s.padding) : 1;
    b_row = s.transpose_b ? 1 : static_cast<ptrdiff_t>(s.n + s.padding);
    b_col = s.transpose_b ? static_cast<ptrdiff_t>(s.k + s.padding) : 1;
    c_row = static_cast<ptrdiff_t>(s.n + s.padding);
    c.assign(s.m * static_cast<size_t>(c_row), T{7});
  }

  GemmArgsOf<T> args() {
    GemmArgsOf<T> args;
    args.m = shape.m;
    args.n = shape.n;
    args.k = shape.k;
    args.a = a.data();
    args.a_row_stride = a_row;
    args.a_col_stride = a_col;
    args.c = c.data();
    args.c_row_stride = c_row;
    args.epilogue = {bias.data(), residual.data(), c_row, steps.data(), static_cast<int>(steps.size())};
    return args;
  }

  // One tile after the other, the last first.
  void run(const GemmTiling* tiling = nullptr) {
    const GemmKernelsOf<T>& kernel = kernels(T{});
    const Buffer<T> packed(kernel.packed_b_size(shape.k, shape.n));
    const size_t panels = kernel.panel_count(shape.n);
    kernel.pack_b(b.data(), b_row, b_col, shape.k, shape.n, panels / 2, panels, packed.get());
    kernel.pack_b(b.data(), b_row, b_col, shape.k, shape.n, 0, panels / 2, packed.get());
    GemmArgsOf<T> arguments = args();
    arguments.packed_b = packed.get();
    const GemmTiling tiles = tiling ? *tiling : gemm_tiling(shape.m, shape.n, shape.k, kernel.mr, kernel.nr);
    for (size_t i = tiles.tile_count(); i-- > 0;) run_gemm_tile(kernel, arguments, tiles, i);
  }

  // |error| <= 4 (K + 4) eps (sum |a b| + |bias| + |residual|) for steps with slopes of at most 1.
  void expect_close_to_reference() const {
    for (ptrdiff_t i = 0; i < static_cast<ptrdiff_t>(shape.m); ++i) {
      for (ptrdiff_t j = 0; j < static_cast<ptrdiff_t>(shape.n); ++j) {
        long double sum = 0, magnitude = 0;
        for (ptrdiff_t p = 0; p < static_cast<ptrdiff_t>(shape.k); ++p) {
          const long double product = static_cast<long double>(a[i * a_row + p * a_col]) * b[p * b_row + j * b_col];
          sum += product;
          magnitude += std::fabs(product);
        }
        const T r = residual[i * c_row + j];
        magnitude += std::fabs(bias[j]) + std::fabs(r);
        const float as_float = static_cast<float>(r);
        const long double exact = finish(sum + bias[j], &as_float);
        const long double bound =
            4 * static_cast<long double>(shape.k + 4) * std::numeric_limits<T>::epsilon() * magnitude;
        ASSERT_LE(std::fabs(c[i * c_row + j] - exact), bound) << "row " << i << " column " << j;
      }
      for (ptrdiff_t j = static_cast<ptrdiff_t>(shape.n); j < c_row; ++j) ASSERT_EQ(c[i * c_row + j], T{7});
    }
  }

  long double finish(long double x, const float* r) const {
    for (const EpilogueStep& step : steps) {
      if (step.kind == EpilogueKind::add_residual) x += *r;
      if (step.kind == EpilogueKind::relu) x = std::max(x, 0.0L);
      if (step.kind == EpilogueKind::clip) x = std::min<long double>(std::max<long double>(x, step.alpha), step.beta);
      if (step.kind == EpilogueKind::leaky_relu && x < 0) x *= step.alpha;
      if (step.kind == EpilogueKind::tanh) x = std::tanh(x);
    }
    return x;
  }
};

class GemmTest : public IsaTest {
 protected:
  template <class T>
  void check(const Shape& shape, const std::vector<EpilogueStep>& steps = {}) {
    SCOPED_TRACE(::testing::Message() << shape.m << 'x' << shape.n << 'x' << shape.k << " transposed "
                                      << shape.transpose_a << shape.transpose_b << " padding " << shape.padding
                                      << " seed " << random_.seed());
    Problem<T> problem(shape, random_);
    problem.steps = steps;
    problem.run();
    problem.expect_close_to_reference();
  }
  Random random_;
};

TEST_P(GemmTest, EveryEdgeOfTheRegisterTile) {
  const size_t mr = static_cast<size_t>(gemm_kernels().mr), nr = static_cast<size_t>(gemm_kernels().nr);
  for (size_t m = 1; m <= 2 * mr + 1; ++m) {
    for (const size_t n : {size_t{1}, nr / 2, nr - 1, nr, nr + 1, 4 * nr, 5 * nr + 3}) check<float>({m, n, 19});
  }
  const size_t nr64 = static_cast<size_t>(gemm_kernels_f64().nr);
  for (size_t m = 1; m <= mr + 1; ++m) {
    for (const size_t n : {size_t{1}, nr64 - 1, nr64, 4 * nr64 + 3}) check<double>({m, n, 19});
  }
}

TEST_P(GemmTest, RandomShapes) {
  for (int round = 0; round < 100; ++round) {
    const Shape shape = {random_.integer(1, 70), random_.integer(1, 130), random_.integer(0, 300),
                         random_.chance(0.3),    random_.chance(0.3),     random_.integer(0, 3)};
    check<float>(shape);
    check<double>(shape);
    if (HasFatalFailure()) return;
  }
}

TEST_P(GemmTest, LongChainsAreContinuedInC) {
  check<float>({40, 70, 3000});
  check<float>({3, 70, 3000});
  check<double>({40, 70, 3000});
}

TEST_P(GemmTest, ZeroExtents) {
  for (const Shape& shape : {Shape{0, 5, 5}, Shape{5, 0, 5}, Shape{5, 5, 0}, Shape{0, 0, 0}}) check<float>(shape);
}

TEST_P(GemmTest, Epilogues) {
  const Shape shape = {13, 37, 21};
  using Steps = std::vector<EpilogueStep>;
  for (const Steps& steps :
       {Steps{{EpilogueKind::relu}}, Steps{{EpilogueKind::clip, -0.5f, 1.5f}}, Steps{{EpilogueKind::leaky_relu, 0.1f}},
        Steps{{EpilogueKind::add_residual}}, Steps{{EpilogueKind::add_residual}, {EpilogueKind::relu}}}) {
    check<float>(shape, steps);
    check<double>(shape, steps);
  }
  check<float>(shape, {{EpilogueKind::tanh}});
  check<float>(shape, {{EpilogueKind::relu}, {EpilogueKind::add_residual}});
  check<float>(shape, {{EpilogueKind::tanh}, {EpilogueKind::add_residual}, {EpilogueKind::clip, -0.5f, 0.5f}});
}

TEST_P(GemmTest, ResidualRowOfStrideZeroIsRepeated) {
  Problem<float> problem({9, 21, 5}, random_);
  problem.steps = {{EpilogueKind::add_residual}};
  for (size_t i = 21; i < problem.residual.size(); ++i) problem.residual[i] = problem.residual[i % 21];
  problem.run();
  Problem<float> repeated = problem;
  GemmArgs args = repeated.args();
  args.epilogue.residual_row_stride = 0;
  const GemmKernels& kernel = gemm_kernels();
  const Buffer<float> packed(kernel.packed_b_size(5, 21));
  kernel.pack_b(problem.b.data(), problem.b_row, problem.b_col, 5, 21, 0, kernel.panel_count(21), packed.get());
  args.packed_b = packed.get();
  kernel.run(args, 0, 9, 0, kernel.panel_count(21));
  EXPECT_EQ(repeated.c, problem.c);
}

TEST_P(GemmTest, ResultsDoNotDependOnTheTiling) {
  const Shape shape = {50, 200, 1000};
  Problem<float> whole(shape, random_);
  const GemmTiling one = {50, 1000, 1, 1};
  whole.run(&one);
  for (const size_t m_tile : {1, 2, 3, 7, 24}) {
    for (const size_t panel_tile : {1, 2, 5}) {
      const size_t panels = gemm_kernels().panel_count(shape.n);
      const GemmTiling tiling = {m_tile, panel_tile, (shape.m + m_tile - 1) / m_tile,
                                 (panels + panel_tile - 1) / panel_tile};
      Problem<float> cut = whole;
      std::fill(cut.c.begin(), cut.c.end(), 7.0f);
      cut.run(&tiling);
      EXPECT_EQ(cut.c, whole.c) << m_tile << 'x' << panel_tile;
    }
  }
}

TEST_P(GemmTest, NanPassesThroughReluAndClip) {
  for (const EpilogueStep step : {EpilogueStep{EpilogueKind::relu}, EpilogueStep{EpilogueKind::clip, 0, 6},
                                  EpilogueStep{EpilogueKind::leaky_relu, 0.1f}}) {
    Problem<float> problem({7, 19, 3}, random_);
    problem.steps = {step};
    problem.a[2 * 3 + 1] = std::numeric_limits<float>::quiet_NaN();
    problem.run();
    for (size_t i = 0; i < size_t{7} * 19; ++i) EXPECT_EQ(std::isnan(problem.c[i]), i / 19 == 2);
  }
}

// The last bits of x * x, which only a product that is not rounded keeps: x^2 - round(x^2) in one chain.
TEST_P(GemmTest, MultiplyAddIsFusedWhereTheProcessorCan) {
  const float x = 1.0f + 0x1p-12f;
  const float rounded = 1.0f + 0x1p-11f;  // of x^2 = 1 + 2^-11 + 2^-24
  Problem<float> problem({7, 19, 2}, random_);
  for (size_t i = 0; i < 7; ++i) problem.a[2 * i] = -rounded, problem.a[2 * i + 1] = x;
  for (size_t j = 0; j < 19; ++j) problem.b[j] = 1, problem.b[19 + j] = x, problem.bias[j] = 0;
  problem.run();
  const float expected = GetParam() == Isa::sse2 ? 0.0f : 0x1p-24f;
  for (const float c : problem.c) EXPECT_EQ(c, expected);
}

TEST_P(GemmTest, TilingCoversEverythingAndGivesManyTilesWhenThereIsWork) {
  const GemmKernels& kernel = gemm_kernels();
  for (const Shape& s : {Shape{128, 768, 768}, Shape{1, 4096, 4096}, Shape{1024, 64, 1024}, Shape{5, 7, 9}}) {
    const GemmTiling t = gemm_tiling(s.m, s.n, s.k, kernel.mr, kernel.nr);
    EXPECT_GE(t.m_tiles * t.m_tile, s.m);
    EXPECT_GE(t.panel_tiles * t.panel_tile, kernel.panel_count(s.n));
    EXPECT_LT((t.m_tiles - 1) * t.m_tile, s.m);
    EXPECT_LT((t.panel_tiles - 1) * t.panel_tile, kernel.panel_count(s.n));
  }
  EXPECT_GE(gemm_tiling(128, 768, 768, kernel.mr, kernel.nr).tile_count(), 16u);
  EXPECT_EQ(gemm_tiling(5, 7, 9, kernel.mr, kernel.nr).tile_count(), 1u);
}

ONNXRUN_FOR_EACH_ISA(GemmTest);

}  // namespace
}  // namespace onnxrun::testing
