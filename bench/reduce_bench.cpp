// Sums and extrema: rows in the first level cache, and the operators over each kind of axes.
#include "kernels/row/row.h"
#include "op_bench.h"

namespace onnxrun::bench {
namespace {

void row(benchmark::State& state, float (*RowKernels::*function)(const float*, size_t) noexcept) {
  constexpr size_t kCount = 3000;
  const Floats src(kCount);
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize((row_kernels().*function)(src.get(), kCount));
  count_operations(state, kCount);
  count_bytes(state, kCount * sizeof(float));
}

BENCHMARK_CAPTURE(row, sum, &RowKernels::sum);
BENCHMARK_CAPTURE(row, max, &RowKernels::max);

void reduce(benchmark::State& state, const std::string& op, const Shape& shape, const std::vector<int64_t>& axes) {
  run_op(state, {.op = op, .inputs = {random_floats(shape, 1), integers({static_cast<int64_t>(axes.size())}, axes)}},
         static_cast<double>(shape.elements()));
}

BENCHMARK_CAPTURE(reduce, sum_last, "ReduceSum", {512, 768}, {1});
BENCHMARK_CAPTURE(reduce, sum_first, "ReduceSum", {512, 768}, {0});
BENCHMARK_CAPTURE(reduce, sum_middle, "ReduceSum", {16, 64, 384}, {1});
BENCHMARK_CAPTURE(reduce, sum_all, "ReduceSum", {512, 768}, {0, 1});
BENCHMARK_CAPTURE(reduce, mean_positions, "ReduceMean", {1, 256, 56, 56}, {2, 3});
BENCHMARK_CAPTURE(reduce, max_last, "ReduceMax", {512, 768}, {1});
BENCHMARK_CAPTURE(reduce, max_first, "ReduceMax", {512, 768}, {0});
BENCHMARK_CAPTURE(reduce, l2_last, "ReduceL2", {512, 768}, {1});
BENCHMARK_CAPTURE(reduce, log_sum_exp_last, "ReduceLogSumExp", {512, 768}, {1});
BENCHMARK_CAPTURE(reduce, short_rows, "ReduceSum", {65536, 3}, {1});

void arg_max(benchmark::State& state, const Shape& shape, int64_t axis) {
  run_op(state, {.op = "ArgMax", .inputs = {random_floats(shape, 1)}, .attributes = {{"axis", axis}}});
}

BENCHMARK_CAPTURE(arg_max, last, {512, 768}, 1);
BENCHMARK_CAPTURE(arg_max, first, {512, 768}, 0);

}  // namespace
}  // namespace onnxrun::bench
