#include "op_bench.h"

#include <random>
#include <span>

#include "onnxrun/session.h"

namespace onnxrun::bench {

void run_op(benchmark::State& state, const OpUse& use, double operations) {
  ModelBuilder builder;
  builder.opset = use.opset;
  std::vector<std::string> names;
  std::vector<Value> fed;
  size_t bytes = 0;
  for (size_t i = 0; i < use.inputs.size(); ++i) {
    const Tensor& tensor = use.inputs[i];
    names.push_back(tensor.defined() ? "x" + std::to_string(i) : "");
    if (!tensor.defined()) continue;
    bytes += tensor.bytes();
    if (i >= use.fed) {
      builder.main.constant(names.back(), tensor);
      continue;
    }
    std::vector<std::string> dims;
    for (const int64_t dim : tensor.shape()) dims.push_back(std::to_string(dim));
    builder.main.input(names.back(), tensor.dtype(), dims);
    fed.emplace_back(tensor);
  }
  builder.main.node(use.op, names, use.outputs, use.attributes).output(use.outputs[0]);
  SessionOptions options;
  options.threads = 1;
  const Session session(builder.model(), options);
  bytes += session.run(fed)[0].tensor().bytes();
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(session.run(fed));
  count_bytes(state, static_cast<double>(bytes));
  if (operations > 0) count_operations(state, operations);
}

Tensor random_integers(DType dtype, const Shape& shape, int64_t limit) {
  std::mt19937_64 generator(1);
  Tensor tensor(dtype, shape);
  const auto draw = [&] { return static_cast<int64_t>(generator() % static_cast<uint64_t>(limit)); };
  const auto fill = [&]<class T>(std::span<T> values) {
    for (T& value : values) value = static_cast<T>(draw());
  };
  if (dtype == DType::int64) {
    fill(tensor.mutable_values<int64_t>());
  } else {
    fill(tensor.mutable_values<uint8_t>());
  }
  return tensor;
}

}  // namespace onnxrun::bench
