// Transpose by the kinds of movement: matrices, heads of attention, channels first and last, and short rows.
#include "op_bench.h"

namespace onnxrun::bench {
namespace {

void transpose(benchmark::State& state, DType dtype, const Shape& shape, const std::vector<int64_t>& permutation) {
  const Tensor x = dtype == DType::float32 ? random_floats(shape, 1) : random_integers(dtype, shape, 100);
  run_op(state, {.op = "Transpose", .inputs = {x}, .attributes = {{"perm", permutation}}});
}

BENCHMARK_CAPTURE(transpose, matrix, DType::float32, {768, 768}, {1, 0});
BENCHMARK_CAPTURE(transpose, matrix_bytes, DType::uint8, {768, 768}, {1, 0});
BENCHMARK_CAPTURE(transpose, matrix_64_bit, DType::int64, {768, 768}, {1, 0});
BENCHMARK_CAPTURE(transpose, heads, DType::float32, {1, 128, 12, 64}, {0, 2, 1, 3});
BENCHMARK_CAPTURE(transpose, keys, DType::float32, {1, 128, 12, 64}, {0, 2, 3, 1});
BENCHMARK_CAPTURE(transpose, channels_last, DType::float32, {1, 64, 56, 56}, {0, 2, 3, 1});
BENCHMARK_CAPTURE(transpose, channels_first, DType::float32, {1, 56, 56, 64}, {0, 3, 1, 2});
BENCHMARK_CAPTURE(transpose, picture_channels_first, DType::uint8, {1, 224, 224, 3}, {0, 3, 1, 2});

}  // namespace
}  // namespace onnxrun::bench
