// Pooling of plain maps; oneDNN beside it, plain and channel-blocked.
#include "kernels/channel_block.h"
#include "onednn.h"
#include "op_bench.h"

namespace onnxrun::bench {
namespace {

struct Window {
  int64_t channels, size, kernel, stride, pad;
  int64_t output() const { return (size + 2 * pad - kernel) / stride + 1; }
};

constexpr Window kStem = {64, 112, 3, 2, 1}, kHalving = {64, 56, 2, 2, 0}, kSame = {192, 28, 3, 1, 1};

void pool(benchmark::State& state, const std::string& op, const Window& w) {
  run_op(state,
         {.op = op,
          .inputs = {random_floats({1, w.channels, w.size, w.size}, 1)},
          .attributes = {{"kernel_shape", std::vector<int64_t>{w.kernel, w.kernel}},
                         {"strides", std::vector<int64_t>{w.stride, w.stride}},
                         {"pads", std::vector<int64_t>(4, w.pad)}}},
         static_cast<double>(w.channels * w.output() * w.output() * w.kernel * w.kernel));
}

BENCHMARK_CAPTURE(pool, max_3x3s2, "MaxPool", kStem);
BENCHMARK_CAPTURE(pool, max_2x2s2, "MaxPool", kHalving);
BENCHMARK_CAPTURE(pool, max_3x3s1, "MaxPool", kSame);
BENCHMARK_CAPTURE(pool, average_2x2s2, "AveragePool", kHalving);
BENCHMARK_CAPTURE(pool, average_3x3s1, "AveragePool", kSame);

void global_average(benchmark::State& state) {
  run_op(state, {.op = "GlobalAveragePool", .inputs = {random_floats({1, 2048, 7, 7}, 1)}}, 2048.0 * 49);
}

BENCHMARK(global_average);

#ifdef ONNXRUN_BENCH_ONEDNN
void onednn(benchmark::State& state, dnnl::algorithm algorithm, const Window& w, bool blocked) {
  using Pool = dnnl::pooling_forward;
  using Tag = dnnl::memory::format_tag;
  const Tag tag = !blocked ? Tag::nchw : channel_block() == 16 ? Tag::nChw16c : Tag::nChw8c;
  const dnnl::memory::desc src = onednn_floats({1, w.channels, w.size, w.size}, tag);
  const dnnl::memory::desc dst = onednn_floats({1, w.channels, w.output(), w.output()}, tag);
  const dnnl::memory::dims strides(2, w.stride), kernel(2, w.kernel), pads(2, w.pad);
  const Pool::primitive_desc plan(
      {dnnl::prop_kind::forward_inference, algorithm, src, dst, strides, kernel, pads, pads}, onednn_engine());
  run_onednn(state, Pool(plan), {{DNNL_ARG_SRC, src}, {DNNL_ARG_DST, dst}});
  count_operations(state, static_cast<double>(w.channels * w.output() * w.output() * w.kernel * w.kernel));
  count_bytes(state, static_cast<double>(src.get_size() + dst.get_size()));
}

constexpr auto kMax = dnnl::algorithm::pooling_max, kAverage = dnnl::algorithm::pooling_avg_include_padding;

BENCHMARK_CAPTURE(onednn, max_3x3s2, kMax, kStem, false);
BENCHMARK_CAPTURE(onednn, max_2x2s2, kMax, kHalving, false);
BENCHMARK_CAPTURE(onednn, max_3x3s1, kMax, kSame, false);
BENCHMARK_CAPTURE(onednn, average_2x2s2, kAverage, kHalving, false);
BENCHMARK_CAPTURE(onednn, average_3x3s1, kAverage, kSame, false);
BENCHMARK_CAPTURE(onednn, max_3x3s2_blocked, kMax, kStem, true);
BENCHMARK_CAPTURE(onednn, max_3x3s1_blocked, kMax, kSame, true);
#endif

}  // namespace
}  // namespace onnxrun::bench
