#include "kernels/gemm/split_gemm.h"

#include <algorithm>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/checked.h"
#include "base/cpu_features.h"

namespace onnxrun {

#if defined(__x86_64__)
namespace amx {
extern const SplitGemmKernels kSplitGemmKernels;
}
#endif

namespace {

constexpr size_t kMaxTileRows = 256;
constexpr size_t kMaxPartsBytes = size_t{8} << 20;
constexpr size_t kDepthBytes = 3 * kSplitRows * kSplitDepth * sizeof(uint16_t);  // the parts of 32 x 32 numbers

const SplitGemmKernels* testing_kernels = nullptr;

// Numbers of 24 significant bits from [-1, 1).
std::vector<float> numbers(size_t count) {
  std::vector<float> result(count);
  uint32_t state = 1;
  for (float& x : result) {
    state = state * 1664525 + 1013904223;
    x = static_cast<float>(static_cast<int32_t>(state) >> 8) * 0x1p-23f;
  }
  return result;
}

}  // namespace

const SplitGemmKernels* split_gemm_kernels() {
  if (testing_kernels) return testing_kernels;
#if defined(__x86_64__)
  if (selected_isa() != Isa::amx) return nullptr;
  static const bool kWorks = [] {
    const bool works = split_gemm_works(amx::kSplitGemmKernels);
    if (!works) withdraw_amx();
    return works;
  }();
  if (kWorks) return &amx::kSplitGemmKernels;
#endif
  return nullptr;
}

void set_split_gemm_for_testing(const SplitGemmKernels* kernels) { testing_kernels = kernels; }

bool split_gemm_works(const SplitGemmKernels& kernels) {
  constexpr size_t kM = 45, kN = 68, kK = 837;
  const GemmKernels& dense = gemm_kernels();
  const std::vector<float> a = numbers(kM * kK), b = numbers(kK * kN), bias = numbers(kN);
  std::vector<float> c(kM * kN);
  const auto floats = [](size_t count) { return allocate_aligned(count * sizeof(float)); };
  const AlignedBuffer packed = floats(dense.packed_b_size(kK, kN));
  float* packed_b = reinterpret_cast<float*>(packed.get());
  dense.pack_b(b.data(), kN, 1, kK, kN, 0, dense.panel_count(kN), packed_b);

  const SplitGemmPlan plan = plan_split_gemm(kM, kN, kK, dense.nr);
  const AlignedBuffer shared = allocate_aligned(plan.shared_bytes);
  SplitGemmArgs args;
  args.gemm = {kM, kN, kK, a.data(), kK, 1, packed_b, c.data(), kN, {bias.data()}};
  args.dense = &dense;
  args.epilogue_row = epilogue_row_f32();
  args.row_end = kM;
  args.a = plan.parts(shared.get());
  kernels.split(args, 0, ceil_div(kM, kSplitRows) * args.depths());
  const size_t panels = dense.panel_count(kN);
  const AlignedBuffer scratch = allocate_aligned(split_gemm_scratch(kM, panels, dense.nr));
  kernels.run(args, 0, kM, 0, panels, scratch.get());

  double error = 0, magnitude = 0;
  for (size_t i = 0; i < kM; ++i) {
    for (size_t j = 0; j < kN; ++j) {
      double sum = static_cast<double>(bias[j]);
      for (size_t p = 0; p < kK; ++p) sum += static_cast<double>(a[i * kK + p]) * static_cast<double>(b[p * kN + j]);
      const double difference = static_cast<double>(c[i * kN + j]) - sum;
      error += difference * difference;
      magnitude += sum * sum;
    }
  }
  // A product that is left out costs 4e-6 of the magnitude or more, rounding 2e-7.
  return error <= 1e-12 * magnitude;
}

bool split_gemm_pays(size_t m, size_t n, size_t k, double share) {
  // Cycles of a core of a Xeon with AMX; 27 and 51 products a cycle were measured, as was the time of splitting. Parts
  // that do not stay in the second level cache are read from afar once more.
  constexpr double kSplitCycles = 0.6;
  constexpr double kNearBytes = 1.5 * (1 << 20);
  constexpr double kMinCycles = 1e5;
  const auto number = [](size_t x) { return static_cast<double>(x); };
  const double rows = number(align_up(m, 16)), columns = number(align_up(n, 16)), depth = number(align_up(k, 32));
  const double splitting = 6 * rows * depth > kNearBytes ? 2 * kSplitCycles : kSplitCycles;
  const double dense = number(m) * number(n) * number(k) / 27;
  const double split = rows * columns * depth / 51 + splitting * rows * depth + 0.5 * rows * columns +
                       kSplitCycles * columns * depth * number(ceil_div(m, kMaxTileRows));
  return dense > kMinCycles && split < share * dense;
}

SplitGemmPlan plan_split_gemm(size_t m, size_t n, size_t k, int nr) {
  const size_t depths = ceil_div(k, kSplitDepth);
  const size_t most = kMaxPartsBytes / (std::max<size_t>(1, depths) * kDepthBytes) * kSplitRows;
  SplitGemmPlan plan;
  plan.chunk_rows = std::min(align_up(m, kSplitRows), std::max(kMaxTileRows, most / kMaxTileRows * kMaxTileRows));
  const size_t items = plan.chunk_rows / kSplitRows * depths;
  plan.parts_bytes = items * kDepthBytes;
  plan.shared_bytes = plan.parts_bytes + items * sizeof(uint32_t);
  for (size_t row = 0; row < m; row += plan.chunk_rows) {
    const GemmTiling tiling = split_gemm_tiling(std::min(plan.chunk_rows, m - row), n, k, nr);
    plan.scratch_bytes = std::max(plan.scratch_bytes, split_gemm_scratch(tiling.m_tile, tiling.panel_tile, nr));
  }
  return plan;
}

GemmTiling split_gemm_tiling(size_t rows, size_t n, size_t k, int nr) {
  // Two panels are whole tiles of columns for every nr.
  GemmTiling tiling = gemm_tiling(rows, n, k, kSplitRows, 2 * nr, true, kMaxTileRows);
  tiling.panel_tile *= 2;
  return tiling;
}

size_t split_gemm_scratch(size_t rows, size_t panels, int nr) {
  const size_t columns = align_up(panels * static_cast<size_t>(nr), 16);
  return kSplitStretch * kDepthBytes + sizeof(uint32_t) * align_up(panels, 16) +
         sizeof(float) * align_up(rows, kSplitRows) * columns;
}

}  // namespace onnxrun
