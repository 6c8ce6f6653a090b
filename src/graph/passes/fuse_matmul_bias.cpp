// MatMul by a constant matrix, and the addition of a constant row behind it, as one Gemm over all rows of its left
// operand.
#include "graph/passes/node_group.h"
#include "graph/passes/pass.h"
#include "graph/passes/pattern.h"

namespace onnxrun {
namespace {

bool is_product_by_matrix(const Graph& graph, const Node& node) {
  if (!is_operator(node, "MatMul") || graph.value(node.outputs[0]).type.dtype != DType::float32) return false;
  const ConstantPtr b = constant_of(graph, node.inputs[1]);
  const DimShape& a = graph.value(node.inputs[0]).type.shape;
  return b && b->shape().rank() == 2 && a.has_rank() && a.rank() >= 2;
}

}  // namespace

int fuse_matmul_bias(Graph& graph, const PassContext& /*context*/) {
  const auto consumers = graph.consumers();
  int fused = 0;
  const std::vector<NodeId> order = graph.order();
  for (const NodeId id : order) {
    const Node& product = graph.node(id);
    if (product.removed || !is_product_by_matrix(graph, product)) continue;
    NodeGroup group(graph, consumers, id);
    Node node;
    node.domain = "onnxrun";
    node.op_type = "Gemm";
    node.opset = 1;
    node.inputs = product.inputs;
    const NodeId next = only_consumer(graph, consumers, product.outputs);
    if (next != kNoNode && is_operator(graph.node(next), "Add")) {
      const Node& add = graph.node(next);
      const ValueId row = add.inputs[add.inputs[0] == product.outputs[0] ? 1 : 0];
      const DimShape& shape = graph.value(product.outputs[0]).type.shape;
      if (is_constant_row(graph, row, shape[shape.rank() - 1]) &&
          constant_of(graph, row)->shape().rank() <= shape.rank()) {
        node.inputs.push_back(row);
        group.append(next);
      }
    }
    group.replace(graph, std::move(node));
    ++fused;
  }
  return fused;
}

}  // namespace onnxrun
