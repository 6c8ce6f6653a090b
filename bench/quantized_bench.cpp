// Products of 8-bit integers: the bare kernel and the operators; and the way between numbers and integers.
#include <vector>

#include "kernels/int_gemm/int_gemm.h"
#include "op_bench.h"

namespace onnxrun::bench {
namespace {

void int_gemm(benchmark::State& state, size_t m, size_t n, size_t k) {
  const IntGemmKernels& kernels = int_gemm_kernels();
  const std::vector<uint8_t> a(m * k, 3), b(k * n, 5);
  std::vector<std::byte> rows(m * kernels.row_bytes(k)), panels(kernels.panel_count(n) * kernels.panel_bytes(k));
  std::vector<int32_t> c(m * n);
  kernels.pack_rows({a.data(), false, static_cast<ptrdiff_t>(k)}, nullptr, 0, m, k, rows.data());
  for (size_t panel = 0; panel < kernels.panel_count(n); ++panel) {
    const size_t column = panel * kernels.nr;
    const size_t columns = n - column < kernels.nr ? n - column : kernels.nr;
    kernels.pack_panel({b.data() + column, false, static_cast<ptrdiff_t>(n)}, nullptr, 0, k, columns,
                       panels.data() + panel * kernels.panel_bytes(k));
  }
  for ([[maybe_unused]] auto _ : state) {
    kernels.run(rows.data(), panels.data(), m, n, k, c.data(), static_cast<ptrdiff_t>(n));
    benchmark::ClobberMemory();
  }
  count_operations(state, 2.0 * static_cast<double>(m * n * k));
}

BENCHMARK_CAPTURE(int_gemm, 128x768x768, 128, 768, 768);
BENCHMARK_CAPTURE(int_gemm, 1x1024x1024, 1, 1024, 1024);

Tensor bytes(const Shape& shape) { return random_integers(DType::uint8, shape, 256); }
Tensor signed_bytes(const Shape& shape) { return random_integers(DType::int8, shape, 256); }
Tensor scale(float value) { return floats({}, {value}); }

void qlinear_matmul(benchmark::State& state, int64_t m, int64_t n, int64_t k) {
  run_op(state,
         {.op = "QLinearMatMul",
          .inputs = {bytes({m, k}), scale(0.02F), bytes({}), signed_bytes({k, n}), scale(0.01F), signed_bytes({}),
                     scale(0.1F), bytes({})}},
         2.0 * static_cast<double>(m * n * k));
}

BENCHMARK_CAPTURE(qlinear_matmul, 128x768x768, 128, 768, 768);
BENCHMARK_CAPTURE(qlinear_matmul, 1x1024x1024, 1, 1024, 1024);

void matmul_integer(benchmark::State& state, int64_t m, int64_t n, int64_t k) {
  run_op(state, {.op = "MatMulInteger", .inputs = {bytes({m, k}), signed_bytes({k, n})}},
         2.0 * static_cast<double>(m * n * k));
}

BENCHMARK_CAPTURE(matmul_integer, 128x768x768, 128, 768, 768);

void qlinear_conv(benchmark::State& state, int64_t channels, int64_t size, int64_t kernel) {
  run_op(state,
         {.op = "QLinearConv",
          .inputs = {bytes({1, channels, size, size}), scale(0.02F), bytes({}),
                     signed_bytes({channels, channels, kernel, kernel}), scale(0.01F), signed_bytes({}), scale(0.1F),
                     bytes({})},
          .attributes = {{"pads", std::vector<int64_t>(4, kernel / 2)}}},
         2.0 * static_cast<double>(channels * channels * kernel * kernel * size * size));
}

BENCHMARK_CAPTURE(qlinear_conv, 3x3_64_56, 64, 56, 3);
BENCHMARK_CAPTURE(qlinear_conv, 1x1_256_14, 256, 14, 1);

void quantize(benchmark::State& state) {
  run_op(state, {.op = "QuantizeLinear", .inputs = {random_floats({128, 768}, 1), scale(0.01F), bytes({})}});
}
void dequantize(benchmark::State& state) {
  run_op(state, {.op = "DequantizeLinear", .inputs = {bytes({128, 768}), scale(0.01F), bytes({})}});
}
void dynamic_quantize(benchmark::State& state) {
  run_op(state, {.op = "DynamicQuantizeLinear",
                 .inputs = {random_floats({128, 768}, 1)},
                 .outputs = {"y", "scale", "zero_point"}});
}

BENCHMARK(quantize);
BENCHMARK(dequantize);
BENCHMARK(dynamic_quantize);

}  // namespace
}  // namespace onnxrun::bench
