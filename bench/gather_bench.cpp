// Gather by what is moved: rows of an embedding, parts of rows, and single elements; and Scatter, its reverse.
#include "op_bench.h"

namespace onnxrun::bench {
namespace {

// Rows or columns `indices` of a table; the bytes counted are those of the output, read and written.
void gather(benchmark::State& state, const std::string& op, const Shape& table, const Shape& indices, int64_t axis) {
  const Tensor where = random_integers(DType::int64, indices, table[static_cast<size_t>(axis)]);
  run_op(state, {.op = op, .inputs = {random_floats(table, 1), where}, .fed = 2, .attributes = {{"axis", axis}}});
  const int64_t moved =
      op == "Gather" ? table.elements() / table[static_cast<size_t>(axis)] * indices.elements() : indices.elements();
  count_bytes(state, 2.0 * sizeof(float) * static_cast<double>(moved));
}

BENCHMARK_CAPTURE(gather, embedding, "Gather", {30522, 768}, {128}, 0);
BENCHMARK_CAPTURE(gather, narrow_rows, "Gather", {30522, 16}, {2048}, 0);
BENCHMARK_CAPTURE(gather, columns, "Gather", {512, 1024}, {256}, 1);
BENCHMARK_CAPTURE(gather, one_row, "Gather", {12, 128, 64}, {}, 1);
BENCHMARK_CAPTURE(gather, elements, "GatherElements", {512, 1024}, {512, 256}, 1);

void scatter(benchmark::State& state) {
  const Shape shape = {512, 1024}, part = {512, 256};
  run_op(state, {.op = "ScatterElements",
                 .inputs = {random_floats(shape, 1), random_integers(DType::int64, part, 1024), random_floats(part, 2)},
                 .fed = 3,
                 .attributes = {{"axis", int64_t{1}}}});
}

BENCHMARK(scatter);

}  // namespace
}  // namespace onnxrun::bench
