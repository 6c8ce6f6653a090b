// Functions of two operands: rows in the first level cache, and the operators with their broadcasting.
#include "kernels/binary/binary.h"
#include "op_bench.h"

namespace onnxrun::bench {
namespace {

void row(benchmark::State& state, BinaryKind kind, ptrdiff_t b_step) {
  constexpr size_t kCount = 3000;
  const Floats a(kCount), b(kCount), out(kCount);
  const BinaryRowKernel function = binary_row(kind, DType::float32);
  for ([[maybe_unused]] auto _ : state) {
    function(a.get(), 1, b.get(), b_step, out.get(), kCount);
    benchmark::ClobberMemory();
  }
  count_operations(state, kCount);
  count_bytes(state, static_cast<double>(kCount * sizeof(float)) * (b_step == 0 ? 2 : 3));
}

BENCHMARK_CAPTURE(row, add, BinaryKind::add, 1);
BENCHMARK_CAPTURE(row, add_scalar, BinaryKind::add, 0);
BENCHMARK_CAPTURE(row, mul, BinaryKind::mul, 1);
BENCHMARK_CAPTURE(row, div, BinaryKind::div, 1);
BENCHMARK_CAPTURE(row, max, BinaryKind::max, 1);
BENCHMARK_CAPTURE(row, less, BinaryKind::less, 1);

void broadcast(benchmark::State& state, const std::string& op, const Shape& a, const Shape& b) {
  run_op(state, {.op = op, .inputs = {random_floats(a, 1), random_floats(b, 2)}, .fed = 2});
}

BENCHMARK_CAPTURE(broadcast, add_same, "Add", {64, 56, 56}, {64, 56, 56});
BENCHMARK_CAPTURE(broadcast, add_scalar, "Add", {64, 56, 56}, {});
BENCHMARK_CAPTURE(broadcast, add_channels, "Add", {64, 56, 56}, {64, 1, 1});
BENCHMARK_CAPTURE(broadcast, add_bias, "Add", {128, 768}, {768});
BENCHMARK_CAPTURE(broadcast, add_mask, "Add", {12, 128, 128}, {1, 1, 128});
BENCHMARK_CAPTURE(broadcast, mul_outer, "Mul", {512, 1}, {1, 512});
BENCHMARK_CAPTURE(broadcast, sub_short_rows, "Sub", {4096, 3}, {1, 3});

}  // namespace
}  // namespace onnxrun::bench
