// Resize by its modes, enlarging and shrinking, with channels first and last.
#include "op_bench.h"

namespace onnxrun::bench {
namespace {

void resize(benchmark::State& state, const std::string& mode, const Shape& shape, const std::vector<float>& scales) {
  run_op(state, {.op = "Resize",
                 .inputs = {random_floats(shape, 1), Tensor(), floats({static_cast<int64_t>(scales.size())}, scales)},
                 .attributes = {{"mode", mode}}});
}

BENCHMARK_CAPTURE(resize, nearest_double, "nearest", {1, 128, 26, 26}, {1, 1, 2, 2});
BENCHMARK_CAPTURE(resize, linear_double, "linear", {1, 128, 26, 26}, {1, 1, 2, 2});
BENCHMARK_CAPTURE(resize, cubic_double, "cubic", {1, 128, 26, 26}, {1, 1, 2, 2});
BENCHMARK_CAPTURE(resize, linear_third, "linear", {1, 3, 672, 672}, {1, 1, 1.0F / 3, 1.0F / 3});
BENCHMARK_CAPTURE(resize, linear_channels_last, "linear", {1, 26, 26, 128}, {1, 2, 2, 1});
BENCHMARK_CAPTURE(resize, linear_volume, "linear", {1, 16, 16, 16, 16}, {1, 1, 2, 2, 2});

}  // namespace
}  // namespace onnxrun::bench
