#include "kernels/gemm/split_gemm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/cpu_features.h"
#include "kernels/kernel_test.h"
#include "kernels/unary/unary_reference.h"
#include "support/emulated_tiles.h"

namespace onnxrun::testing {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Dense kernels with panels of kNr columns by plain loops: one chain of fused multiply-adds.
template <size_t kNr>
struct PlainKernels {
  static void pack_b(const float* b, ptrdiff_t row_stride, ptrdiff_t col_stride, size_t k, size_t n, size_t panel_begin,
                     size_t panel_end, float* dst) noexcept {
    for (size_t j = panel_begin * kNr; j < panel_end * kNr; ++j) {
      for (size_t p = 0; p < k; ++p) {
        const float* src = b + static_cast<ptrdiff_t>(p) * row_stride + static_cast<ptrdiff_t>(j) * col_stride;
        dst[(j / kNr * k + p) * kNr + j % kNr] = j < n ? *src : 0;
      }
    }
  }
  static void run(const GemmArgs& args, size_t m_begin, size_t m_end, size_t panel_begin, size_t panel_end) noexcept {
    for (size_t i = m_begin; i < m_end; ++i) {
      for (size_t j = panel_begin * kNr; j < std::min(args.n, panel_end * kNr); ++j) {
        const float* a = args.a + static_cast<ptrdiff_t>(i) * args.a_row_stride;
        float sum = 0;
        for (size_t p = 0; p < args.k; ++p) {
          sum = std::fma(a[static_cast<ptrdiff_t>(p) * args.a_col_stride],
                         args.packed_b[(j / kNr * args.k + p) * kNr + j % kNr], sum);
        }
        if (args.epilogue.bias) sum += args.epilogue.bias[j];
        const float* residual = args.epilogue.residual;
        if (residual) residual += static_cast<ptrdiff_t>(i) * args.epilogue.residual_row_stride;
        epilogue_row_f32()(&sum, residual ? residual + j : nullptr, 1, args.epilogue.steps, args.epilogue.step_count);
        args.c[static_cast<ptrdiff_t>(i) * args.c_row_stride + static_cast<ptrdiff_t>(j)] = sum;
      }
    }
  }
};
template <size_t kNr>
const GemmKernels kPlain = {4, kNr, PlainKernels<kNr>::pack_b, PlainKernels<kNr>::run};
const GemmKernels* const kAllPlain[] = {&kPlain<8>, &kPlain<16>, &kPlain<48>};

// The emulated unit, and that of the processor where there is one.
std::vector<const SplitGemmKernels*> units() {
  std::vector<const SplitGemmKernels*> all = {&kEmulatedSplitGemm};
  if (split_gemm_kernels()) all.push_back(split_gemm_kernels());
  return all;
}

struct Problem {
  size_t m, n, k;
  const GemmKernels* dense = &kPlain<48>;
  std::vector<float> a, b, c;
  GemmArgs gemm;

  Problem(size_t rows, size_t columns, size_t depth, Random& random) : m(rows), n(columns), k(depth) {
    a = random.floats(m * k);
    b = random.floats(k * n);
    gemm.a_row_stride = static_cast<ptrdiff_t>(k);
  }
  float& a_at(size_t i, size_t p) { return a[i * k + p]; }
  float& b_at(size_t p, size_t j) { return b[p * n + j]; }

  void prepare(Buffer<float>& packed) {
    dense->pack_b(b.data(), static_cast<ptrdiff_t>(n), 1, k, n, 0, dense->panel_count(n), packed.get());
    c.assign(m * n, 7.0f);
    gemm.m = m, gemm.n = n, gemm.k = k;
    gemm.a = a.data();
    gemm.packed_b = packed.get();
    gemm.c = c.data();
    gemm.c_row_stride = static_cast<ptrdiff_t>(n);
  }

  // By tiles of so many rows and panels, or as planned; the last first, every buffer of the size that is asked for.
  const std::vector<float>& run(const SplitGemmKernels& kernels = kEmulatedSplitGemm, size_t m_tile = 0,
                                size_t panel_tile = 0) {
    Buffer<float> packed(dense->packed_b_size(k, n));
    prepare(packed);
    const SplitGemmPlan plan = plan_split_gemm(m, n, k, dense->nr);
    const Buffer<std::byte> shared(plan.shared_bytes);
    for (size_t row = 0; row < m; row += plan.chunk_rows) {
      const SplitGemmArgs args = {
          gemm, dense, epilogue_row_f32(), row, std::min(m, row + plan.chunk_rows), plan.parts(shared.get()), {}};
      const size_t rows = args.row_end - row;
      const size_t items = (rows + kSplitRows - 1) / kSplitRows * args.depths();
      kernels.split(args, items / 3, items);
      kernels.split(args, 0, items / 3);
      GemmTiling tiling = split_gemm_tiling(rows, n, k, dense->nr);
      if (m_tile) {
        const size_t panels = dense->panel_count(n);
        tiling = {m_tile, panel_tile, (rows + m_tile - 1) / m_tile, (panels + panel_tile - 1) / panel_tile};
      }
      for (size_t tile = tiling.tile_count(); tile-- > 0;) {
        const Buffer<std::byte> scratch(split_gemm_scratch(tiling.m_tile, tiling.panel_tile, dense->nr));
        run_split_gemm_tile(kernels, args, tiling, tile, scratch.get());
      }
    }
    return c;
  }
  std::vector<float> run_dense() {
    Buffer<float> packed(dense->packed_b_size(k, n));
    prepare(packed);
    dense->run(gemm, 0, m, 0, dense->panel_count(n));
    return c;
  }

  double exact(size_t i, size_t j, double* magnitude = nullptr) const {
    double sum = 0, total = 0;
    for (size_t p = 0; p < k; ++p) {
      const double product =
          static_cast<double>(
              gemm.a[static_cast<ptrdiff_t>(i) * gemm.a_row_stride + static_cast<ptrdiff_t>(p) * gemm.a_col_stride]) *
          static_cast<double>(b[p * n + j]);
      sum += product;
      total += std::fabs(product);
    }
    if (magnitude) *magnitude = total;
    return sum;
  }
  // Each sum to 32 roundings of its terms' magnitude, for roundings add up over k: a product of parts that is left out
  // is four times as much.
  void expect_close() const {
    for (size_t i = 0; i < m; ++i) {
      for (size_t j = 0; j < n; ++j) {
        double magnitude = 0;
        const double expected = exact(i, j, &magnitude);
        ASSERT_LE(std::fabs(static_cast<double>(c[i * n + j]) - expected), 0x1p-19 * magnitude) << i << ' ' << j;
      }
    }
  }
};

class SplitGemm : public ::testing::Test {
 protected:
  void SetUp() override { EmulatedTiles::multiply_adds() = 0; }
  void TearDown() override { EXPECT_EQ(EmulatedTiles::misuses(), 0); }
  Random random_;
};

// The unit's tiles for one element, sum[0][0]: a[p] and b[p] for k = 0 … 31.
float one_sum(float sum, const std::vector<float>& a, const std::vector<float>& b) {
  alignas(64) uint16_t left[16 * 32] = {}, right[16 * 32] = {};
  alignas(64) float sums[16 * 16] = {sum};
  const auto upper = [](float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return static_cast<uint16_t>(bits >> 16);
  };
  for (size_t p = 0; p < a.size(); ++p) {
    left[p] = upper(a[p]);
    right[p / 2 * 32 + p % 2] = upper(b[p]);
  }
  EmulatedTiles::configure();
  EmulatedTiles::load<0>(sums, 64);
  EmulatedTiles::load<1>(left, 64);
  EmulatedTiles::load<2>(right, 64);
  EmulatedTiles::multiply_add<0, 1, 2>();
  EmulatedTiles::store<0>(sums, 64);
  EmulatedTiles::release();
  return sums[0];
}

TEST_F(SplitGemm, EmulationFollowsTheManual) {
  EXPECT_EQ(one_sum(5, {1, 2, 3, 4}, {10, 20, 30, 40}), 305.0f);
  // Even k: 2^24 + 1 is rounded to 2^24. Odd k: 1 + 1. Were there one chain, it would be 2^24.
  EXPECT_EQ(one_sum(0, {0x1p24f, 1, 1, 1}, {1, 1, 1, 1}), 0x1p24f + 2);
  // The chains begin with zero, not with the sum: 2^24 + (1 + 1).
  EXPECT_EQ(one_sum(0x1p24f, {1, 0, 1}, {1, 0, 1}), 0x1p24f + 2);
  // Fused: 3 · 2^-149 · 1/2 is not rounded before it is added to the smallest normal number.
  EXPECT_EQ(one_sum(0, {0x1p-126f, 0, 0x1.8p-100f}, {1, 0, 0x1p-49f}), std::nextafter(0x1p-126f, 1.0f) + 0x1p-149f);
  EXPECT_EQ(one_sum(0, {0x1p-127f}, {0x1p20f}), 0.0f);
  EXPECT_EQ(one_sum(0, {0x1p-100f}, {0x1p-27f}), 0.0f);
  EXPECT_TRUE(std::isnan(one_sum(kInf, {-kInf}, {1})));
  EXPECT_EQ(EmulatedTiles::misuses(), 0);
  one_sum(0, {1}, {1});
  EmulatedTiles::zero<0>();  // not configured any more
  EXPECT_EQ(EmulatedTiles::misuses().exchange(0), 1);
}

// Three parts hold every bit of a float: by the identity, each element is the sum of its own parts.
TEST_F(SplitGemm, ThreePartsAreExact) {
  for (const SplitGemmKernels* unit : units()) {
    Problem problem(40, 70, 70, random_);
    for (float& x : problem.a) x = std::ldexp(x, static_cast<int>(random_.integer(0, 60)) - 30);
    problem.a_at(0, 0) = 0x1.fffffep29f;   // rounds up in every part
    problem.a_at(0, 1) = -0x1.ffff7ep29f;  // halves
    problem.a_at(0, 2) = 0x1.01fffep0f;
    problem.a_at(0, 3) = 0;
    std::fill(problem.b.begin(), problem.b.end(), 0.0f);
    for (size_t i = 0; i < 70; ++i) problem.b_at(i, i) = 1;
    EXPECT_EQ(problem.run(*unit), problem.a);
    std::swap(problem.a, problem.b);
    problem.m = 70, problem.n = 40;
    problem.b = random_.floats(size_t{70} * 40);
    EXPECT_EQ(problem.run(*unit), problem.b);
  }
}

TEST_F(SplitGemm, EveryEdge) {
  for (const GemmKernels* dense : kAllPlain) {
    for (const size_t m : {1, 15, 16, 17, 32, 33, 50}) {
      for (const size_t n : {1, 8, 17, 47, 49, 97}) {
        for (const size_t k : {1, 31, 33, 70}) {
          SCOPED_TRACE(::testing::Message() << m << 'x' << n << 'x' << k << " nr " << dense->nr);
          Problem problem(m, n, k, random_);
          problem.dense = dense;
          problem.run();
          problem.expect_close();
          if (HasFatalFailure()) return;
        }
      }
    }
  }
  EXPECT_GT(EmulatedTiles::multiply_adds(), 0);
}

TEST_F(SplitGemm, LongSumsAreContinuedInStretchesOfDepths) {
  for (const SplitGemmKernels* unit : units()) {
    for (const size_t m : {16, 45}) {
      Problem problem(m, 40, 1100, random_);
      problem.run(*unit);
      problem.expect_close();
    }
  }
}

TEST_F(SplitGemm, ManyRowsComeInChunks) {
  Problem problem(300, 5, 6000, random_);
  const SplitGemmPlan plan = plan_split_gemm(problem.m, problem.n, problem.k, 48);
  EXPECT_EQ(plan.chunk_rows, 256u);
  EXPECT_LE(plan.parts_bytes, 256u * 6016u * 6u);
  problem.run();
  problem.expect_close();
}

TEST_F(SplitGemm, TransposedA) {
  Problem problem(37, 50, 45, random_);
  problem.gemm.a_row_stride = 1;
  problem.gemm.a_col_stride = 37;
  problem.run();
  problem.expect_close();
}

// Relative root mean square errors against double: of this product, and of sums as BLAS libraries make them, in chains
// of 384 fused multiply-adds.
struct Errors {
  double split = 0, chains = 0;
};
Errors errors_of(Problem& problem, const SplitGemmKernels& unit) {
  problem.run(unit);
  Errors errors;
  double total = 0;
  for (size_t i = 0; i < problem.m; ++i) {
    for (size_t j = 0; j < problem.n; ++j) {
      float blocked = 0;
      for (size_t begin = 0; begin < problem.k; begin += 384) {
        float chain = 0;
        for (size_t p = begin; p < std::min(problem.k, begin + 384); ++p) {
          chain = std::fma(problem.a_at(i, p), problem.b_at(p, j), chain);
        }
        blocked += chain;
      }
      const double exact = problem.exact(i, j);
      errors.split += std::pow(static_cast<double>(problem.c[i * problem.n + j]) - exact, 2);
      errors.chains += std::pow(static_cast<double>(blocked) - exact, 2);
      total += exact * exact;
    }
  }
  return {std::sqrt(errors.split / total), std::sqrt(errors.chains / total)};
}

TEST_F(SplitGemm, IsAsAccurateAsFloat32) {
  for (const SplitGemmKernels* unit : units()) {
    for (const size_t k : {64, 768, 4096}) {
      for (const bool positive : {false, true}) {
        Problem problem(33, 50, k, random_);
        if (positive) {
          for (float& x : problem.a) x = std::fabs(x);
        }
        const Errors errors = errors_of(problem, *unit);
        RecordProperty("K" + std::to_string(k) + (positive ? "+" : ""), std::to_string(errors.split / errors.chains));
        EXPECT_LE(errors.split, 1.5 * errors.chains) << "K " << k << " seed " << random_.seed();
      }
    }
  }
}

TEST_F(SplitGemm, WideMagnitudes) {
  for (const SplitGemmKernels* unit : units()) {
    Problem problem(40, 60, 300, random_);
    for (float& x : problem.a) x = std::copysign(std::pow(10.0f, 20 * x), x);
    for (float& x : problem.b) x = std::copysign(std::pow(10.0f, 10 * x), x);
    problem.run(*unit);
    problem.expect_close();
    const Errors errors = errors_of(problem, *unit);
    EXPECT_LE(errors.split, 1.5 * errors.chains) << random_.seed();
  }
  EXPECT_GT(EmulatedTiles::multiply_adds(), 0);
}

TEST_F(SplitGemm, Epilogue) {
  using Steps = std::vector<EpilogueStep>;
  for (const GemmKernels* dense : kAllPlain) {
    for (const Steps& steps : {Steps{}, Steps{{EpilogueKind::relu}}, Steps{{EpilogueKind::add_residual}},
                               Steps{{EpilogueKind::tanh}, {EpilogueKind::add_residual}, {EpilogueKind::relu}}}) {
      Problem problem(37, 61, 40, random_);
      problem.dense = dense;
      const std::vector<float> bias = random_.floats(61), residual = random_.floats(size_t{37} * 61);
      problem.gemm.epilogue = {bias.data(), residual.data(), 61, steps.data(), static_cast<int>(steps.size())};
      problem.run();
      for (size_t i = 0; i < 37; ++i) {
        for (size_t j = 0; j < 61; ++j) {
          const double sum = problem.exact(i, j) + static_cast<double>(bias[j]);
          const double expected =
              epilogue_reference(sum, &residual[i * 61 + j], steps.data(), static_cast<int>(steps.size()));
          ASSERT_NEAR(static_cast<double>(problem.c[i * 61 + j]), expected, 4e-6) << i << ' ' << j;
        }
      }
    }
  }
}

TEST_F(SplitGemm, ResidualMayBeTheOutput) {
  Problem problem(37, 61, 40, random_);
  const std::vector<float> residual = random_.floats(size_t{37} * 61);
  const EpilogueStep step = {EpilogueKind::add_residual};
  problem.gemm.epilogue = {nullptr, residual.data(), 61, &step, 1};
  problem.a_at(3, 3) = kNan;  // both ways are taken
  const std::vector<float> expected = problem.run();

  Buffer<float> packed(problem.dense->packed_b_size(40, 61));
  problem.prepare(packed);
  problem.c = residual;
  problem.gemm.epilogue.residual = problem.c.data();
  const SplitGemmPlan plan = plan_split_gemm(37, 61, 40, 48);
  const Buffer<std::byte> shared(plan.shared_bytes), scratch(plan.scratch_bytes);
  const SplitGemmArgs args = {problem.gemm, problem.dense, epilogue_row_f32(), 0, 37, plan.parts(shared.get()), {}};
  kEmulatedSplitGemm.split(args, 0, 4);
  kEmulatedSplitGemm.run(args, 0, 37, 0, 2, scratch.get());
  EXPECT_EQ(std::memcmp(problem.c.data(), expected.data(), expected.size() * sizeof(float)), 0);
}

// The blocks of 32 rows and the panels of 48 columns that hold a number out of the unit's range are the dense kernels'
// to the bit, all others the unit's.
TEST_F(SplitGemm, NumbersOutOfRangeTakeTheDenseKernels) {
  for (const SplitGemmKernels* unit : units()) {
    for (const float odd : {kInf, -kInf, kNan, 3.4e38f, -0x1.8p127f, 0x1p90f}) {
      Problem problem(70, 100, 90, random_);
      const std::vector<float> plain = problem.run(*unit);
      problem.a_at(40, 80) = odd;
      problem.b_at(20, 98) = odd;
      const std::vector<float> dense = problem.run_dense();
      const std::vector<float> mixed = problem.run(*unit);
      for (size_t i = 0; i < 70; ++i) {
        for (size_t j = 0; j < 100; ++j) {
          // 2^90 overflows with another 2^90 alone.
          const bool in_rows = i / 32 == 1, in_panel = j / 48 == 2;
          const bool is_dense = odd == 0x1p90f ? in_rows && in_panel : in_rows || in_panel;
          const size_t at = i * 100 + j;
          if (is_dense) {
            ASSERT_EQ(std::bit_cast<uint32_t>(mixed[at]), std::bit_cast<uint32_t>(dense[at]))
                << odd << ' ' << i << ' ' << j;
          } else if (!in_rows && !in_panel) {
            ASSERT_EQ(mixed[at], plain[at]) << odd << ' ' << i << ' ' << j;
          }
        }
      }
    }
  }
}

TEST_F(SplitGemm, TinyOperandsTakeTheDenseKernelsAndZeroDoesNot) {
  Problem problem(33, 60, 50, random_);
  for (float& x : problem.a) x *= 0x1p-70f;
  const std::vector<float> dense = problem.run_dense();
  EXPECT_EQ(problem.run(), dense);
  std::fill(problem.a.begin(), problem.a.end(), 0.0f);
  EXPECT_EQ(problem.run(), std::vector<float>(size_t{33} * 60, 0.0f));
  problem.b_at(2, 2) = kInf;
  EXPECT_TRUE(std::isnan(problem.run()[2]));
  EXPECT_EQ(problem.run()[50], 0.0f);
}

TEST_F(SplitGemm, ResultsDoNotDependOnTheTiling) {
  for (const GemmKernels* dense : {&kPlain<8>, &kPlain<48>}) {
    Problem problem(70, 110, 560, random_);
    problem.dense = dense;
    problem.a_at(50, 550) = kInf;
    problem.b_at(3, 108) = kNan;
    const std::vector<float> planned = problem.run();
    for (const size_t m_tile : {32, 64}) {
      for (const size_t panel_tile : {1, 3, 30}) {
        const std::vector<float>& cut = problem.run(kEmulatedSplitGemm, m_tile, panel_tile);
        EXPECT_EQ(std::memcmp(cut.data(), planned.data(), cut.size() * sizeof(float)), 0)
            << "nr " << dense->nr << " tiles " << m_tile << 'x' << panel_tile;
      }
    }
  }
}

// A convolution with one tap on channel-blocked maps, the last lanes of which hold NaN.
struct MapsProblem {
  size_t images, channels, outputs, block;
  size_t input[3], stride[3], output[3];
  std::vector<float> x, weights, bias, residual, y;
  const GemmKernels* dense = &kPlain<48>;

  MapsProblem(std::array<size_t, 4> extents, std::array<size_t, 3> in, std::array<size_t, 3> step, Random& random)
      : images(extents[0]), channels(extents[1]), outputs(extents[2]), block(extents[3]) {
    for (int i = 0; i < 3; ++i) input[i] = in[i], stride[i] = step[i], output[i] = (in[i] - 1) / step[i] + 1;
    x = blocked(random.floats(images * channels * in_positions()), channels, in_positions());
    weights = random.floats(outputs * channels);
    bias = random.floats(outputs);
    residual = blocked(random.floats(images * outputs * out_positions()), outputs, out_positions());
  }
  size_t in_positions() const { return input[0] * input[1] * input[2]; }
  size_t out_positions() const { return output[0] * output[1] * output[2]; }
  size_t place(size_t image, size_t channel, size_t position, size_t count, size_t positions) const {
    const size_t blocks = (count + block - 1) / block;
    return ((image * blocks + channel / block) * positions + position) * block + channel % block;
  }
  std::vector<float> blocked(const std::vector<float>& plain, size_t count, size_t positions) const {
    std::vector<float> maps(images * ((count + block - 1) / block) * block * positions, kNan);
    for (size_t i = 0; i < plain.size(); ++i) {
      maps[place(i / positions / count, i / positions % count, i % positions, count, positions)] = plain[i];
    }
    return maps;
  }

  void run(const SplitGemmKernels& kernels, const std::vector<EpilogueStep>& steps) {
    const size_t m = images * out_positions();
    Buffer<float> packed(dense->packed_b_size(channels, outputs));
    dense->pack_b(weights.data(), 1, static_cast<ptrdiff_t>(channels), channels, outputs, 0,
                  dense->panel_count(outputs), packed.get());
    y.assign(residual.size(), 7.0f);
    const SplitGemmPlan plan = plan_split_gemm(m, outputs, channels, dense->nr);
    const Buffer<std::byte> shared(plan.shared_bytes);
    SplitGemmArgs args;
    args.gemm = {m, outputs, channels, x.data(), 0, 1, packed.get(), y.data(), 0, {bias.data(), residual.data()}};
    args.gemm.epilogue.steps = steps.data();
    args.gemm.epilogue.step_count = static_cast<int>(steps.size());
    args.dense = dense;
    args.epilogue_row = epilogue_row_f32();
    args.a = plan.parts(shared.get());
    const auto floats = [&](size_t positions) { return static_cast<ptrdiff_t>(positions * block); };
    const size_t in_blocks = (channels + block - 1) / block, out_blocks = (outputs + block - 1) / block;
    args.maps = {block,
                 out_positions(),
                 {output[1], output[2]},
                 {floats(in_blocks * in_positions()), floats(input[1] * input[2] * stride[0]),
                  floats(input[2] * stride[1]), floats(stride[2])},
                 floats(in_positions()),
                 floats(out_blocks * out_positions())};
    for (size_t row = 0; row < m; row += plan.chunk_rows) {
      args.row_begin = row;
      args.row_end = std::min(m, row + plan.chunk_rows);
      const size_t rows = args.row_end - row;
      kernels.split(args, 0, (rows + kSplitRows - 1) / kSplitRows * args.depths());
      const GemmTiling tiling = split_gemm_tiling(rows, outputs, channels, dense->nr);
      for (size_t tile = 0; tile < tiling.tile_count(); ++tile) {
        const Buffer<std::byte> scratch(split_gemm_scratch(tiling.m_tile, tiling.panel_tile, dense->nr));
        run_split_gemm_tile(kernels, args, tiling, tile, scratch.get());
      }
    }
  }

  void expect_close(const std::vector<EpilogueStep>& steps) const {
    for (size_t i = 0; i < images * outputs * out_positions(); ++i) {
      const size_t at = i % out_positions(), image = i / out_positions() / outputs;
      const size_t channel = i / out_positions() % outputs;
      const size_t from =
          (at / output[2] / output[1] * stride[0] * input[1] + at / output[2] % output[1] * stride[1]) * input[2] +
          at % output[2] * stride[2];
      double sum = static_cast<double>(bias[channel]), magnitude = std::fabs(sum);
      for (size_t c = 0; c < channels; ++c) {
        const double product = static_cast<double>(x[place(image, c, from, channels, in_positions())]) *
                               static_cast<double>(weights[channel * channels + c]);
        sum += product;
        magnitude += std::fabs(product);
      }
      const size_t to = place(image, channel, at, outputs, out_positions());
      const double expected = epilogue_reference(sum, &residual[to], steps.data(), static_cast<int>(steps.size()));
      const auto actual = static_cast<double>(y[to]);
      if (std::isnan(expected)) {
        ASSERT_TRUE(std::isnan(actual)) << i;
      } else if (actual != expected) {
        ASSERT_LE(std::fabs(actual - expected), 0x1p-19 * magnitude) << i;
      }
    }
  }
};

// The processor's unit takes blocks of its vectors alone.
bool takes_block(const SplitGemmKernels* unit, size_t block) { return unit == &kEmulatedSplitGemm || block == 16; }

TEST_F(SplitGemm, BlockedMaps) {
  const std::vector<EpilogueStep> steps = {{EpilogueKind::add_residual}, {EpilogueKind::relu}};
  for (const SplitGemmKernels* unit : units()) {
    for (const size_t block : {4, 8, 16}) {
      for (const size_t channels : {3, 32, 40, 600}) {
        for (const size_t outputs : {5, 48, 57}) {
          for (const bool strided : {false, true}) {
            if (!takes_block(unit, block)) continue;
            const size_t images = strided ? 3 : 1;
            SCOPED_TRACE(::testing::Message() << images << ' ' << channels << " to " << outputs << " by " << block);
            MapsProblem problem({images, channels, outputs, block}, {2, 3, 7},
                                strided ? std::array<size_t, 3>{2, 1, 3} : std::array<size_t, 3>{1, 1, 1}, random_);
            if (strided) problem.dense = &kPlain<16>;
            problem.run(*unit, steps);
            problem.expect_close(steps);
            if (HasFatalFailure()) return;
          }
        }
      }
    }
  }
  EXPECT_GT(EmulatedTiles::multiply_adds(), 0);
}

TEST_F(SplitGemm, NumbersOutOfRangeOnBlockedMaps) {
  for (const SplitGemmKernels* unit : units()) {
    MapsProblem problem({2, 70, 130, 16}, {1, 9, 11}, {1, 2, 1}, random_);
    problem.x[40] = kInf;
    problem.x[problem.x.size() / 2 + 16] = kNan;
    problem.weights[size_t{100} * 70 + 3] = -kInf;
    problem.run(*unit, {});
    problem.expect_close({});
  }
  EXPECT_GT(EmulatedTiles::multiply_adds(), 0);
}

// A unit that loses what is loaded into tile kLost, one that adds the wrong tile, and one that does nothing.
template <int kLost>
struct LosingTiles : EmulatedTiles {
  template <int kTile>
  static void load(const void* src, size_t row_bytes) {
    if constexpr (kTile == kLost) {
      zero<kTile>();
    } else {
      EmulatedTiles::load<kTile>(src, row_bytes);
    }
  }
};
struct MixingTiles : EmulatedTiles {
  template <int kSum, int kA, int kB>
  static void multiply_add() {
    EmulatedTiles::multiply_add<kSum, kA, 6>();
  }
};
struct IdleTiles : EmulatedTiles {
  template <int kSum, int kA, int kB>
  static void multiply_add() {}
};
// The third part is lost, as if it had been rounded to two.
struct CoarseTiles : EmulatedTiles {
  template <int kTile>
  static void load(const void* src, size_t row_bytes) {
    EmulatedTiles::load<kTile>(src, row_bytes);
    if constexpr (kTile == 4) coarse = ++loads % 3 == 1;  // a3, then a2, then a1
  }
  template <int kSum, int kA, int kB>
  static void multiply_add() {
    if (!coarse) EmulatedTiles::multiply_add<kSum, kA, kB>();
  }
  static inline bool coarse = false;
  static inline int loads = 0;
};
template <class Tiles>
SplitGemmKernels kernels_of() {
  return {emulated::SplitGemm<Tiles>::split, emulated::SplitGemm<Tiles>::run};
}

class SplitGemmSelfTest : public IsaTest {};

TEST_P(SplitGemmSelfTest, FindsEveryFault) {
  EXPECT_TRUE(split_gemm_works(kEmulatedSplitGemm));
  EXPECT_FALSE(split_gemm_works(kernels_of<LosingTiles<4>>()));
  EXPECT_FALSE(split_gemm_works(kernels_of<LosingTiles<5>>()));
  EXPECT_FALSE(split_gemm_works(kernels_of<MixingTiles>()));
  EXPECT_FALSE(split_gemm_works(kernels_of<IdleTiles>()));
  EXPECT_FALSE(split_gemm_works(kernels_of<CoarseTiles>()));
}

ONNXRUN_FOR_EACH_ISA(SplitGemmSelfTest);

TEST(SplitGemmChoice, OnlyTheAmxLevelHasAUnit) {
  for (const Isa isa : IsaTest::all()) {
    set_isa_cap_for_testing(isa);
    EXPECT_EQ(split_gemm_kernels(), nullptr) << isa_name(isa);
  }
  set_isa_cap_for_testing(IsaTest::strongest());
  EXPECT_EQ(split_gemm_kernels() != nullptr, selected_isa() == Isa::amx);
}

TEST(SplitGemmChoice, PaysWhereManyRowsShareTheSplittingOfB) {
  EXPECT_TRUE(split_gemm_pays(128, 768, 768));
  EXPECT_TRUE(split_gemm_pays(128, 3072, 768));
  EXPECT_TRUE(split_gemm_pays(128, 768, 3072));
  EXPECT_TRUE(split_gemm_pays(16384, 1024, 1024));
  EXPECT_FALSE(split_gemm_pays(1, 4096, 4096));
  EXPECT_FALSE(split_gemm_pays(16, 4096, 4096));
  EXPECT_FALSE(split_gemm_pays(4096, 16, 4096));
  EXPECT_FALSE(split_gemm_pays(4096, 4096, 8));
  EXPECT_FALSE(split_gemm_pays(64, 64, 64));
}

}  // namespace
}  // namespace onnxrun::testing
