// LayerNormalization over the last axis, and its relatives; oneDNN beside the first.
#include "onednn.h"
#include "op_bench.h"

namespace onnxrun::bench {
namespace {

void layer(benchmark::State& state, int64_t rows, int64_t columns) {
  run_op(state,
         {.op = "LayerNormalization",
          .inputs = {random_floats({rows, columns}, 1), random_floats({columns}, 2), random_floats({columns}, 3)}});
}

BENCHMARK_CAPTURE(layer, 128x768, 128, 768);
BENCHMARK_CAPTURE(layer, 3136x96, 3136, 96);
BENCHMARK_CAPTURE(layer, 1x4096, 1, 4096);

void rms(benchmark::State& state, int64_t rows, int64_t columns) {
  run_op(state, {.op = "RMSNormalization",
                 .inputs = {random_floats({rows, columns}, 1), random_floats({columns}, 2)},
                 .opset = 23});
}

BENCHMARK_CAPTURE(rms, 128x768, 128, 768);
BENCHMARK_CAPTURE(rms, 1x4096, 1, 4096);

void instance(benchmark::State& state, int64_t channels, int64_t size) {
  run_op(state, {.op = "InstanceNormalization",
                 .inputs = {random_floats({1, channels, size, size}, 1), random_floats({channels}, 2),
                            random_floats({channels}, 3)}});
}

BENCHMARK_CAPTURE(instance, 64x56x56, 64, 56);

#ifdef ONNXRUN_BENCH_ONEDNN
void onednn(benchmark::State& state, int64_t rows, int64_t columns) {
  using Layer = dnnl::layer_normalization_forward;
  using Flags = dnnl::normalization_flags;
  const dnnl::memory::desc data = onednn_floats({rows, columns}, dnnl::memory::format_tag::ab);
  const dnnl::memory::desc factors = onednn_floats({columns}, dnnl::memory::format_tag::a);
  const Layer::primitive_desc plan(
      {dnnl::prop_kind::forward_inference, data, 1e-5F, Flags::use_scale | Flags::use_shift}, onednn_engine());
  run_onednn(state, Layer(plan),
             {{DNNL_ARG_SRC, data}, {DNNL_ARG_SCALE, factors}, {DNNL_ARG_SHIFT, factors}, {DNNL_ARG_DST, data}});
  count_bytes(state, 2.0 * static_cast<double>(data.get_size() + factors.get_size()));
}

BENCHMARK_CAPTURE(onednn, 128x768, 128, 768);
BENCHMARK_CAPTURE(onednn, 3136x96, 3136, 96);
BENCHMARK_CAPTURE(onednn, 1x4096, 1, 4096);
#endif

}  // namespace
}  // namespace onnxrun::bench
