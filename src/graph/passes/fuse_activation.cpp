// Lets a convolution or Gemm apply the elementwise operators behind it to each element before it is stored: activations
// and, at most once, the addition of another tensor of the same shape. A Reshape in between comes after them.
#include <algorithm>

#include "graph/passes/pass.h"
#include "graph/passes/pattern.h"

namespace onnxrun {
namespace {

constexpr size_t kResidual = 3;  // input of onnxrun.Conv and onnxrun.Gemm
constexpr size_t kMaxSteps = 4;

// Gemm adds a bias in registers where C is a row; other forms of C come after the product.
bool has_row_bias(const Graph& graph, const Node& gemm) {
  if (gemm.inputs.size() < 3 || gemm.inputs[2] == kNoValue) return true;
  const DimShape& y = graph.value(gemm.outputs[0]).type.shape;
  return number_attribute(gemm, "beta", 1) == 1 && y.has_rank() && is_constant_row(graph, gemm.inputs[2], y[1]);
}

bool can_fuse(const Graph& graph, const Node& node) {
  if (node.domain == "onnxrun" && node.op_type == "Gemm") return node.attributes.empty();
  const bool is_gemm = is_operator(node, "Gemm");
  if (!is_gemm && !is_operator(node, "Conv")) return false;
  return graph.value(node.inputs[0]).type.dtype == DType::float32 &&
         (is_gemm ? has_row_bias(graph, node) : has_conv_kernel(graph, node));
}

// The other operand of an addition of two tensors of the same shape.
ValueId residual_of(const Graph& graph, const Node& add, ValueId sum) {
  if (!is_operator(add, "Add") || add.inputs[0] == add.inputs[1]) return kNoValue;
  const ValueId other = add.inputs[0] == sum ? add.inputs[1] : add.inputs[0];
  const Type& type = graph.value(sum).type;
  const bool same = type.shape.has_rank() && graph.value(other).type.shape == type.shape;
  return same ? other : kNoValue;
}

struct Chain {
  std::vector<NodeId> nodes;  // behind the fused node, in their order, without the Reshape
  std::vector<FusedStep> steps;
  ValueId residual = kNoValue;
  NodeId reshape = kNoNode;
};

// Takes nodes behind `node` as long as they fit.
Chain collect_chain(const Graph& graph, const std::vector<std::vector<NodeId>>& consumers, const Node& node) {
  Chain chain;
  NodeId reshape = kNoNode;  // joins with the first node behind it
  std::vector<ValueId> outputs = node.outputs;
  while (chain.steps.size() < kMaxSteps) {
    const NodeId id = only_consumer(graph, consumers, outputs);
    if (id == kNoNode) break;
    const Node& next = graph.node(id);
    FusedStep step;
    if (is_operator(next, "Reshape") && next.inputs[0] == outputs[0] && node.op_type == "Gemm" && reshape == kNoNode) {
      reshape = id;
      outputs = next.outputs;
      continue;
    }
    const ValueId residual = chain.residual == kNoValue ? residual_of(graph, next, outputs[0]) : kNoValue;
    if (residual != kNoValue) {
      chain.residual = residual;
      step.op_type = "Add";
    } else if (!activation_step(graph, next, step)) {
      break;
    }
    chain.steps.push_back(step);
    chain.nodes.push_back(id);
    chain.reshape = reshape;
    outputs = next.outputs;
  }
  return chain;
}

// Lets the Reshape read what the fused node makes and make what the chain made.
void move_reshape(Graph& graph, NodeId id, Node& fused) {
  Node reshape = graph.node(id);
  graph.remove_node(id);
  const ValueId flat = graph.add_value(graph.value(fused.outputs[0]).name + " (rows)");
  reshape.inputs[0] = flat;
  reshape.outputs = fused.outputs;
  reshape.op = nullptr;
  fused.outputs = {flat};
  graph.add_node(std::move(reshape));
}

}  // namespace

int fuse_activation(Graph& graph, const PassContext& /*context*/) {
  const auto consumers = graph.consumers();
  int fused = 0;
  const std::vector<NodeId> order = graph.order();
  for (const NodeId id : order) {
    if (graph.node(id).removed || !can_fuse(graph, graph.node(id))) continue;
    const Chain chain = collect_chain(graph, consumers, graph.node(id));
    if (chain.nodes.empty()) continue;
    Node node = graph.node(id);
    node.domain = "onnxrun";
    node.opset = 1;
    node.op = nullptr;
    node.outputs = graph.node(chain.nodes.back()).outputs;
    node.attributes.push_back({"steps", chain.steps});
    if (chain.residual != kNoValue) {
      node.inputs.resize(kResidual + 1, kNoValue);
      node.inputs[kResidual] = chain.residual;
    }
    graph.remove_node(id);
    for (const NodeId absorbed : chain.nodes) {
      const auto& origins = graph.node(absorbed).origins;
      node.origins.insert(node.origins.end(), origins.begin(), origins.end());
      graph.remove_node(absorbed);
    }
    if (chain.reshape != kNoNode) move_reshape(graph, chain.reshape, node);
    graph.add_node(std::move(node));
    ++fused;
  }
  return fused;
}

}  // namespace onnxrun
