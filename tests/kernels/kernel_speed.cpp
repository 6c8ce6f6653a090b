// kernel_speed: whether the kernels that most models live on reach 40 % of this processor's fused multiply-add rate,
// measured in turn with it on one thread; the best of many rounds counts, so that other programs do not matter. Judges
// AVX-512 alone; on AVX2 the rates are told and skipped. Ends with "N passed, N failed, N skipped".
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/cpu_features.h"
#include "kernels/channel_block.h"
#include "kernels/conv/blocked_conv.h"
#include "kernels/gemm/gemm.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace onnxrun {
namespace {

constexpr double kWanted = 0.4;
constexpr int kFewestRounds = 10, kMostRounds = 400;

// What one call computes, and the best rate that was seen.
struct Measured {
  std::string name;
  double operations = 0;
  std::function<void()> run;
  double best = 0;  // operations a second

  void measure() {
    const auto begin = std::chrono::steady_clock::now();
    run();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    best = std::max(best, operations / elapsed.count());
  }
};

#if defined(__x86_64__)

// Enough independent chains to hide the latency of two units.
constexpr int kChains = 12, kPeakSteps = 200000;

__attribute__((target("avx512f"))) void multiply_add_avx512() {
  __m512 sums[kChains];
  for (auto& sum : sums) sum = _mm512_set1_ps(1);
  const __m512 half = _mm512_set1_ps(0.5F), one = _mm512_set1_ps(1);
  for (int step = 0; step < kPeakSteps; ++step) {
#pragma GCC unroll 12
    for (auto& sum : sums) sum = _mm512_fmadd_ps(sum, half, one);
  }
  for (const auto& sum : sums) asm volatile("" ::"v"(sum));
}

__attribute__((target("avx2,fma"))) void multiply_add_avx2() {
  __m256 sums[kChains];
  for (auto& sum : sums) sum = _mm256_set1_ps(1);
  const __m256 half = _mm256_set1_ps(0.5F), one = _mm256_set1_ps(1);
  for (int step = 0; step < kPeakSteps; ++step) {
#pragma GCC unroll 12
    for (auto& sum : sums) sum = _mm256_fmadd_ps(sum, half, one);
  }
  for (const auto& sum : sums) asm volatile("" ::"x"(sum));
}

#endif

// The rate of fused multiply-adds alone; nothing to run where it cannot be measured.
Measured make_peak(bool avx512) {
#if defined(__x86_64__)
  if (avx512) return {"multiply-add", 2.0 * 16 * kChains * kPeakSteps, multiply_add_avx512};
  if (selected_isa() == Isa::avx2) return {"multiply-add", 2.0 * 8 * kChains * kPeakSteps, multiply_add_avx2};
#endif
  return {};
}

// Aligned floats, all the same; copies share them.
struct Floats {
  explicit Floats(size_t count) : owner(allocate_aligned((count + 16) * sizeof(float))) {
    std::fill_n(get(), count, 0.5F);
  }
  float* get() const { return reinterpret_cast<float*>(owner.get()); }
  std::shared_ptr<std::byte> owner;
};

Measured make_gemm(size_t m, size_t n, size_t k) {
  const GemmKernels& kernels = gemm_kernels();
  const Floats a(m * k), b(k * n), c(m * n), packed(kernels.packed_b_size(k, n));
  kernels.pack_b(b.get(), static_cast<ptrdiff_t>(n), 1, k, n, 0, kernels.panel_count(n), packed.get());
  const auto run = [=, &kernels] {
    const GemmArgs args{
        m, n, k, a.get(), static_cast<ptrdiff_t>(k), 1, packed.get(), c.get(), static_cast<ptrdiff_t>(n), {}};
    const GemmTiling tiling = gemm_tiling(m, n, k, kernels.mr, kernels.nr);
    for (size_t tile = 0; tile < tiling.tile_count(); ++tile) run_gemm_tile(kernels, args, tiling, tile);
  };
  const std::string name = "product " + std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k);
  return {name, 2.0 * static_cast<double>(m * n * k), run};
}

// A convolution of blocked maps whose size stays as it is.
ConvShape conv_shape(size_t in, size_t out, size_t size, size_t kernel) {
  ConvShape shape;
  shape.in_channels = in;
  shape.out_channels = out;
  for (const int axis : {1, 2}) {
    shape.input[axis] = size;
    shape.kernel[axis] = kernel;
    shape.pad_begin[axis] = shape.pad_end[axis] = kernel / 2;
  }
  return shape;
}

Measured make_conv(const ConvShape& shape, bool of_bytes = false) {
  const BlockedConvPlan plan =
      of_bytes ? make_byte_conv_plan(shape, false, false, 0) : make_blocked_conv_plan(shape, false);
  const size_t positions = shape.input[1] * shape.input[2];
  const size_t k = shape.in_channels * shape.kernel[1] * shape.kernel[2];
  const Floats src(shape.in_channels * positions), weights(shape.out_channels * k);
  const Floats dst(shape.out_channels * positions), numbers(shape.out_channels);
  const Floats packed(plan.packed_weight_bytes / sizeof(float)), shared(plan.shared_bytes / sizeof(float));
  const Floats scratch(plan.scratch_bytes / sizeof(float));
  if (of_bytes) {
    pack_byte_weights(plan, reinterpret_cast<const int8_t*>(weights.get()), shape.in_channels, packed.get(), 0,
                      plan.panel_count);
  } else {
    pack_blocked_weights(plan, weights.get(), packed.get(), 0, plan.panel_count);
  }
  const auto run = [=] {
    const BlockedConvArgs args{src.get(), packed.get(), dst.get(), {}, {numbers.get(), numbers.get(), 0, 0, 255}};
    for (size_t i = 0; i < plan.pack_tile_count; ++i) run_blocked_pack(plan, args, i, shared.get());
    for (size_t i = 0; i < plan.tile_count; ++i) run_blocked_conv(plan, args, i, shared.get(), scratch.get());
  };
  const std::string edge = std::to_string(shape.kernel[1]);
  const double operations = 2.0 * static_cast<double>(shape.out_channels * positions * k);
  if (of_bytes) return {"convolution of bytes " + edge + "x" + edge + ", four as one", operations / 4, run};
  return {"convolution " + edge + "x" + edge, operations, run};
}

int judge() {
  const bool avx512 = selected_isa() == Isa::avx512 || selected_isa() == Isa::amx;
  Measured peak = make_peak(avx512);
  if (!peak.run) {
    std::printf("skipped: %s has no known rate of multiply-adds\n0 passed, 0 failed, 3 skipped\n",
                std::string(isa_name(selected_isa())).c_str());
    return 0;
  }
  const ConvShape conv3x3 = conv_shape(128, 128, 28, 3);
  std::vector<Measured> kernels = {make_conv(conv3x3), make_conv(conv_shape(256, 64, 56, 1)), make_gemm(128, 768, 768)};
  if (has_byte_convolutions()) kernels.push_back(make_conv(conv3x3, true));
  const auto fast = [&](const Measured& kernel) { return kernel.best >= kWanted * peak.best; };
  for (int round = 0; round < kMostRounds; ++round) {
    if (round >= kFewestRounds && std::all_of(kernels.begin(), kernels.end(), fast)) break;
    peak.measure();
    for (Measured& kernel : kernels) kernel.measure();
  }
  int passed = 0, failed = 0, skipped = 0;
  for (const Measured& kernel : kernels) {
    ++(!avx512 ? skipped : fast(kernel) ? passed : failed);
    std::printf("%s: %s, %.0f of %.0f GFLOP/s, %.0f %%\n",
                !avx512        ? "skipped"
                : fast(kernel) ? "passed"
                               : "failed",
                kernel.name.c_str(), kernel.best / 1e9, peak.best / 1e9, 100 * kernel.best / peak.best);
  }
  std::printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
  return failed > 0 ? 1 : 0;
}

}  // namespace
}  // namespace onnxrun

int main() { return onnxrun::judge(); }
