// Elementwise functions over a row that stays in the first level cache.
#include "bench_support.h"
#include "kernels/unary/unary.h"

namespace onnxrun::bench {
namespace {

void unary(benchmark::State& state, UnaryKind kind) {
  constexpr size_t kCount = 3000;
  const Floats src(kCount), dst(kCount);
  const UnaryF32 function = unary_f32(kind);
  for ([[maybe_unused]] auto _ : state) {
    function(src.get(), dst.get(), kCount, 1.0f, 1.0f);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kCount));
}

BENCHMARK_CAPTURE(unary, relu, UnaryKind::relu);
BENCHMARK_CAPTURE(unary, exp, UnaryKind::exp);
BENCHMARK_CAPTURE(unary, log, UnaryKind::log);
BENCHMARK_CAPTURE(unary, tanh, UnaryKind::tanh);
BENCHMARK_CAPTURE(unary, erf, UnaryKind::erf);
BENCHMARK_CAPTURE(unary, sigmoid, UnaryKind::sigmoid);
BENCHMARK_CAPTURE(unary, softplus, UnaryKind::softplus);
BENCHMARK_CAPTURE(unary, gelu_erf, UnaryKind::gelu_erf);
BENCHMARK_CAPTURE(unary, gelu_tanh, UnaryKind::gelu_tanh);
BENCHMARK_CAPTURE(unary, silu, UnaryKind::silu);
BENCHMARK_CAPTURE(unary, mish, UnaryKind::mish);
BENCHMARK_CAPTURE(unary, hard_swish, UnaryKind::hard_swish);
BENCHMARK_CAPTURE(unary, sin, UnaryKind::sin);
BENCHMARK_CAPTURE(unary, atan, UnaryKind::atan);
BENCHMARK_CAPTURE(unary, asin, UnaryKind::asin);

}  // namespace
}  // namespace onnxrun::bench
