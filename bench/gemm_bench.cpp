// Matrix products: ours with packed B, the bare register tile in the first level cache, OpenBLAS, and oneDNN with B in
// the layout that it likes best.
#include <vector>

#include "bench_support.h"
#include "kernels/gemm/gemm.h"
#include "onednn.h"
#ifdef ONNXRUN_BENCH_OPENBLAS
#include <cblas.h>
#endif

namespace onnxrun::bench {
namespace {

struct Matrices {
  size_t m, n, k;
  Floats a, b, c;
  explicit Matrices(const benchmark::State& state)
      : m(static_cast<size_t>(state.range(0))),
        n(static_cast<size_t>(state.range(1))),
        k(static_cast<size_t>(state.range(2))),
        a(m * k),
        b(k * n),
        c(m * n) {}
  double operations() const { return 2.0 * static_cast<double>(m * n * k); }
};

// `copies` of the packed weights are used in turn: with enough of them each arrives from memory, as in a network.
void run_gemm(benchmark::State& state, size_t copies) {
  const Matrices x(state);
  const GemmKernels& kernels = gemm_kernels();
  const size_t packed_size = kernels.packed_b_size(x.k, x.n);
  std::vector<Floats> packed;
  for (size_t i = 0; i < copies; ++i) {
    packed.emplace_back(packed_size);
    kernels.pack_b(x.b.get(), static_cast<ptrdiff_t>(x.n), 1, x.k, x.n, 0, kernels.panel_count(x.n), packed[i].get());
  }
  GemmArgs args{
      x.m, x.n, x.k, x.a.get(), static_cast<ptrdiff_t>(x.k), 1, nullptr, x.c.get(), static_cast<ptrdiff_t>(x.n), {}};
  const GemmTiling tiling = gemm_tiling(x.m, x.n, x.k, kernels.mr, kernels.nr);
  size_t next = 0;
  for ([[maybe_unused]] auto _ : state) {
    args.packed_b = packed[next++ % copies].get();
    for (size_t tile = 0; tile < tiling.tile_count(); ++tile) run_gemm_tile(kernels, args, tiling, tile);
    benchmark::ClobberMemory();
  }
  count_operations(state, x.operations());
}

void gemm(benchmark::State& state) { run_gemm(state, 1); }

void gemm_cold_weights(benchmark::State& state) {
  constexpr size_t kMoreThanCaches = size_t{128} << 20;
  run_gemm(state, kMoreThanCaches / (static_cast<size_t>(state.range(1) * state.range(2)) * sizeof(float)) + 1);
}

void register_tile(benchmark::State& state) {
  const GemmKernels& kernels = gemm_kernels();
  const size_t k = static_cast<size_t>(state.range(0));
  const size_t m = static_cast<size_t>(kernels.mr), n = static_cast<size_t>(kernels.nr);
  const Floats a(m * k), b(k * n), c(m * n);
  const GemmArgs args{m, n, k, a.get(), static_cast<ptrdiff_t>(k), 1, b.get(), c.get(), static_cast<ptrdiff_t>(n), {}};
  for ([[maybe_unused]] auto _ : state) {
    kernels.run(args, 0, m, 0, 1);
    benchmark::ClobberMemory();
  }
  count_operations(state, 2.0 * static_cast<double>(m * n * k));
}

void pack_b(benchmark::State& state) {
  const Matrices x(state);
  const GemmKernels& kernels = gemm_kernels();
  const Floats packed(kernels.packed_b_size(x.k, x.n));
  const bool transposed = state.range(3) != 0;
  for ([[maybe_unused]] auto _ : state) {
    kernels.pack_b(x.b.get(), static_cast<ptrdiff_t>(transposed ? 1 : x.n),
                   static_cast<ptrdiff_t>(transposed ? x.k : 1), x.k, x.n, 0, kernels.panel_count(x.n), packed.get());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(x.k * x.n * sizeof(float)));
}

#ifdef ONNXRUN_BENCH_OPENBLAS
void openblas(benchmark::State& state) {
  const Matrices x(state);
  const int m = static_cast<int>(x.m), n = static_cast<int>(x.n), k = static_cast<int>(x.k);
  for ([[maybe_unused]] auto _ : state) {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, k, 1.0f, x.a.get(), k, x.b.get(), n, 0.0f, x.c.get(),
                n);
    benchmark::ClobberMemory();
  }
  count_operations(state, x.operations());
}
#endif

#ifdef ONNXRUN_BENCH_ONEDNN
void onednn(benchmark::State& state) {
  using Tag = dnnl::memory::format_tag;
  const int64_t m = state.range(0), n = state.range(1), k = state.range(2);
  const dnnl::memory::desc a = onednn_floats({m, k}, Tag::ab), b = onednn_floats({k, n}, Tag::any);
  const dnnl::memory::desc c = onednn_floats({m, n}, Tag::ab);
  const dnnl::matmul::primitive_desc plan({a, b, c}, onednn_engine());
  run_onednn(state, dnnl::matmul(plan),
             {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, plan.weights_desc()}, {DNNL_ARG_DST, c}});
  count_operations(state, 2.0 * static_cast<double>(m * n * k));
}
#endif

void shapes(benchmark::internal::Benchmark* bench) {
  const std::vector<std::vector<int64_t>> all = {
      {128, 768, 768}, {128, 2304, 768}, {128, 3072, 768}, {128, 768, 3072}, {512, 512, 512}, {1024, 1024, 1024},
      {128, 128, 64},  {128, 64, 128},   {1, 512, 784},    {1, 1000, 2048},  {1, 4096, 4096}, {8, 1024, 1024}};
  for (const auto& shape : all) bench->Args(shape);
  bench->ArgNames({"m", "n", "k"});
}

BENCHMARK(register_tile)->Arg(128)->Arg(256)->ArgName("k");
BENCHMARK(gemm)->Apply(shapes);
BENCHMARK(gemm_cold_weights)->Apply(shapes);
#ifdef ONNXRUN_BENCH_OPENBLAS
BENCHMARK(openblas)->Apply(shapes);
#endif
#ifdef ONNXRUN_BENCH_ONEDNN
BENCHMARK(onednn)->Apply(shapes);
#endif
BENCHMARK(pack_b)->Args({1, 768, 768, 0})->Args({1, 768, 768, 1})->ArgNames({"m", "n", "k", "transposed"});

}  // namespace
}  // namespace onnxrun::bench
