// Softmax over rows of attention scores and of classes, and over an axis in the middle; oneDNN beside it.
#include "onednn.h"
#include "op_bench.h"

namespace onnxrun::bench {
namespace {

void softmax(benchmark::State& state, const Shape& shape, int64_t axis) {
  run_op(state, {.op = "Softmax", .inputs = {random_floats(shape, 1)}, .attributes = {{"axis", axis}}});
}

BENCHMARK_CAPTURE(softmax, 1536x128, {1536, 128}, 1);
BENCHMARK_CAPTURE(softmax, 3136x49, {3136, 49}, 1);
BENCHMARK_CAPTURE(softmax, 1x1000, {1, 1000}, 1);
BENCHMARK_CAPTURE(softmax, 1x32000, {1, 32000}, 1);
BENCHMARK_CAPTURE(softmax, 21x16384_first, {21, 16384}, 0);

#ifdef ONNXRUN_BENCH_ONEDNN
void onednn(benchmark::State& state, const dnnl::memory::dims& dims, int axis) {
  using Softmax = dnnl::softmax_forward;
  const dnnl::memory::desc data = onednn_floats(dims, dnnl::memory::format_tag::ab);
  const Softmax::primitive_desc plan({dnnl::prop_kind::forward_inference, data, axis}, onednn_engine());
  run_onednn(state, Softmax(plan), {{DNNL_ARG_SRC, data}, {DNNL_ARG_DST, data}});
  count_bytes(state, 2.0 * static_cast<double>(data.get_size()));
}

BENCHMARK_CAPTURE(onednn, 1536x128, {1536, 128}, 1);
BENCHMARK_CAPTURE(onednn, 3136x49, {3136, 49}, 1);
BENCHMARK_CAPTURE(onednn, 1x1000, {1, 1000}, 1);
BENCHMARK_CAPTURE(onednn, 1x32000, {1, 32000}, 1);
BENCHMARK_CAPTURE(onednn, 21x16384_first, {21, 16384}, 0);
#endif

}  // namespace
}  // namespace onnxrun::bench
