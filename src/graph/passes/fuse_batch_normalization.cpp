// Folds an inference BatchNormalization into the weights of the convolution, transposed convolution or Gemm before it.
#include <cmath>

#include "base/dispatch_dtype.h"
#include "base/mapped_file.h"
#include "graph/passes/pass.h"
#include "graph/passes/pattern.h"

namespace onnxrun {
namespace {

constexpr float kDefaultEpsilon = 1e-5F;

// Whether a Gemm is a B + c with c a row.
bool is_linear(const Graph& graph, const Node& gemm) {
  if (number_attribute(gemm, "alpha", 1) != 1 || number_attribute(gemm, "beta", 1) != 1) return false;
  if (gemm.inputs.size() < 3 || gemm.inputs[2] == kNoValue) return true;
  const ConstantPtr bias = constant_of(graph, gemm.inputs[2]);
  return bias && (bias->elements() == 1 || bias->shape()[bias->shape().rank() - 1] == bias->elements());
}

bool is_foldable(const Graph& graph, const Node& conv, const Node& norm) {
  const bool is_conv = is_operator(conv, "Conv") || is_operator(conv, "ConvTranspose");
  if (!is_conv && !(is_operator(conv, "Gemm") && is_linear(graph, conv))) return false;
  if (!is_operator(norm, "BatchNormalization")) return false;
  if (integer_attribute(norm, "training_mode", 0) != 0 || integer_attribute(norm, "spatial", 1) == 0) return false;
  if (norm.outputs.size() > 1 || !all_constant(graph, {norm.inputs.begin() + 1, norm.inputs.end()})) return false;
  const bool weights_known =
      constant_of(graph, conv.inputs[1]) != nullptr &&
      (conv.inputs.size() < 3 || conv.inputs[2] == kNoValue || constant_of(graph, conv.inputs[2]));
  const DType dtype = graph.value(conv.inputs[0]).type.dtype;
  for (size_t i = 1; i < norm.inputs.size(); ++i) {
    if (constant_of(graph, norm.inputs[i])->dtype() != dtype) return false;
  }
  return weights_known && (dtype == DType::float32 || dtype == DType::float64);
}

struct Folded {
  Constant::Making weights;
  Tensor bias;
};

// Scales each output channel of the weights, and makes the bias that goes with them.
template <class T>
Folded fold(const Graph& graph, const Node& conv, const Node& norm) {
  const ConstantPtr weights = constant_of(graph, conv.inputs[1]);
  const ConstantPtr bias = conv.inputs.size() > 2 ? constant_of(graph, conv.inputs[2]) : nullptr;
  const auto statistic = [&](size_t i, int64_t c) {
    return static_cast<double>(read_unaligned<T>(constant_of(graph, norm.inputs[i])->tensor(), c));
  };
  const double epsilon = number_attribute(norm, "epsilon", kDefaultEpsilon);
  const Shape& shape = weights->shape();
  const int64_t channels = constant_of(graph, norm.inputs[1])->elements();
  std::vector<double> factors;
  Tensor new_bias(weights->dtype(), {channels});
  for (int64_t c = 0; c < channels; ++c) {
    const double factor = statistic(1, c) / std::sqrt(statistic(4, c) + epsilon);
    const int64_t at = bias && bias->elements() == 1 ? 0 : c;
    const double old_bias = bias ? static_cast<double>(read_unaligned<T>(bias->tensor(), at)) : 0;
    new_bias.mutable_values<T>()[static_cast<size_t>(c)] =
        static_cast<T>((old_bias - statistic(3, c)) * factor + statistic(2, c));
    factors.push_back(factor);
  }
  // Conv: [M, C / group, taps]; ConvTranspose: [C, M / group, taps], a row of which has one output channel; Gemm: [N,
  // K], or [K, N], which is a ConvTranspose of one tap.
  const bool is_gemm = conv.op_type == "Gemm";
  const bool transposed = is_gemm ? integer_attribute(conv, "transB", 0) == 0 : conv.op_type == "ConvTranspose";
  const int64_t rows = transposed ? shape.elements(0, 2) : channels;
  const int64_t row_size = shape.elements(transposed ? 2 : 1, shape.rank());
  const int64_t group = integer_attribute(conv, "group", 1);
  const int64_t group_in = shape[0] / group, group_out = channels / group;
  std::string recipe = "scaled " + std::to_string(transposed) + " " + std::to_string(group) + " ";
  recipe.append(reinterpret_cast<const char*>(factors.data()), factors.size() * sizeof(double));
  const auto scale_rows = [=, factors = std::move(factors)](std::byte* dst, size_t begin, size_t end) {
    const size_t row_bytes = static_cast<size_t>(row_size) * sizeof(T);
    MappedFile::copy(
        {static_cast<const std::byte*>(weights->tensor().data()) + begin * row_bytes, (end - begin) * row_bytes}, dst);
    for (auto row = static_cast<int64_t>(begin); row < static_cast<int64_t>(end); ++row) {
      const int64_t channel = transposed ? row / group_out / group_in * group_out + row % group_out : row;
      const double factor = factors[static_cast<size_t>(channel)];
      T* values = reinterpret_cast<T*>(dst) + (row - static_cast<int64_t>(begin)) * row_size;
      for (int64_t i = 0; i < row_size; ++i) values[i] = static_cast<T>(static_cast<double>(values[i]) * factor);
    }
  };
  return {{static_cast<size_t>(rows), scale_rows, {weights}, std::move(recipe)}, std::move(new_bias)};
}

}  // namespace

int fuse_batch_normalization(Graph& graph, const PassContext& /*context*/) {
  const auto consumers = graph.consumers();
  int fused = 0;
  const std::vector<NodeId> order = graph.order();
  for (const NodeId id : order) {
    if (graph.node(id).removed) continue;
    const NodeId next = only_consumer(graph, consumers, graph.node(id).outputs);
    if (next == kNoNode || !is_foldable(graph, graph.node(id), graph.node(next))) continue;
    const Node norm = graph.node(next);
    Node conv = graph.node(id);
    const ConstantPtr weights = constant_of(graph, conv.inputs[1]);
    Folded folded;
    dispatch_dtype<float, double>(weights->dtype(), [&]<class T>() { folded = fold<T>(graph, conv, norm); });
    graph.remove_node(id);
    graph.remove_node(next);
    const std::string name = graph.value(conv.inputs[1]).name;
    conv.inputs.resize(3);
    conv.inputs[1] =
        add_constant(graph, name + " (normalized)", weights->dtype(), weights->shape(), std::move(folded.weights));
    conv.inputs[2] = add_constant(graph, name + " (bias)", std::move(folded.bias));
    conv.outputs = norm.outputs;
    conv.op = nullptr;
    conv.origins.insert(conv.origins.end(), norm.origins.begin(), norm.origins.end());
    graph.add_node(std::move(conv));
    ++fused;
  }
  return fused;
}

}  // namespace onnxrun
