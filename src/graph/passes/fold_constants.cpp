// Replaces what does not depend on the inputs by constants: nodes that read constants alone, and values whose elements
// shape inference knows.
#include <algorithm>

#include "graph/content.h"
#include "graph/operator.h"
#include "graph/passes/pass.h"
#include "graph/passes/pattern.h"
#include "onnxrun/error.h"

namespace onnxrun {
namespace {

// A constant larger than this, and larger than what it is made from, stays a node: ConstantOfShape and Expand are
// cheap.
constexpr size_t kMaxFoldedBytes = size_t{64} << 20;
constexpr size_t kMaxInflatedBytes = size_t{1} << 16;
// The same where there are no more elements than before, for weights that are stored in few bits.
constexpr size_t kMaxWidenedBytes = size_t{256} << 20;

bool reads_only_constants(const Graph& graph, const Node& node) {
  return node.implicit_inputs.empty() && std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
           return id == kNoValue || graph.value(id).constant != nullptr;
         });
}

bool is_worth_folding(const Graph& graph, const Node& node) {
  size_t bytes = 0;
  int64_t elements = 0;
  for (const ValueId id : node.inputs) {
    if (id == kNoValue) continue;
    bytes += graph.value(id).constant->bytes();
    elements = std::max(elements, graph.value(id).constant->elements());
  }
  const size_t inflated = std::clamp(bytes, kMaxInflatedBytes, kMaxFoldedBytes);
  return std::all_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
    if (id == kNoValue || node.op_type == "Constant") return true;
    const Type& type = graph.value(id).type;
    if (!type.is_concrete_tensor()) return false;
    const Shape shape = type.shape.concrete();
    return shape.checked_bytes(type.dtype) <= (shape.elements() <= elements ? kMaxWidenedBytes : inflated);
  });
}

void make_constant(Graph& graph, ValueId id, Tensor tensor) {
  graph.value(id).constant = std::make_shared<const Constant>(std::move(tensor), Constant::Source::computed);
}

bool evaluate(Graph& graph, NodeId id, const PassContext& context) {
  const Node& node = graph.node(id);
  const OperatorTraits traits = node.op->traits();
  if (!traits.deterministic || traits.whole_values || !reads_only_constants(graph, node)) return false;
  if (!Graph::subgraphs(node).empty() || !is_worth_folding(graph, node)) return false;
  std::vector<Value> outputs;
  try {
    outputs = context.evaluate(graph, node);
  } catch (const Error&) {
    return false;  // it fails again, with its inputs named, if it is ever run
  }
  for (size_t j = 0; j < outputs.size(); ++j) {
    if (node.outputs[j] != kNoValue && !outputs[j].is_tensor()) return false;
  }
  const std::vector<ValueId> ids = node.outputs;
  graph.remove_node(id);
  for (size_t j = 0; j < ids.size(); ++j) {
    if (ids[j] != kNoValue) make_constant(graph, ids[j], outputs[j].tensor());
  }
  return true;
}

// A node with one output whose elements are all known.
bool materialize(Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  if (node.outputs.size() != 1 || !node.op->traits().deterministic) return false;
  const ValueId output = node.outputs[0];
  const GraphValue& value = graph.value(output);
  if (!value.has_content || !value.type.is_concrete_tensor()) return false;
  const bool known =
      std::all_of(value.content.begin(), value.content.end(), [](const Dim& dim) { return dim.is_number(); });
  if (!known) return false;
  Tensor tensor = tensor_of(value.content, value.type.dtype, value.type.shape.concrete());
  graph.remove_node(id);
  make_constant(graph, output, std::move(tensor));
  return true;
}

// Lets subgraphs see the constants that they capture.
void share_with_subgraphs(Graph& graph, Node& node) {
  for (const auto& subgraph : Graph::subgraphs(node)) {
    for (const Capture& capture : subgraph->captures) {
      const ConstantPtr& constant = graph.value(capture.outer).constant;
      if (constant) subgraph->value(capture.inner).constant = constant;
    }
    std::erase_if(subgraph->captures,
                  [&](const Capture& capture) { return graph.value(capture.outer).constant != nullptr; });
  }
  std::erase_if(node.implicit_inputs, [&](ValueId id) { return graph.value(id).constant != nullptr; });
}

int fold(Graph& graph, const PassContext& context, bool keeps_dequantized) {
  int folded = 0;
  const std::vector<NodeId> order = graph.order();
  for (const NodeId id : order) {
    if (graph.node(id).removed || (keeps_dequantized && is_operator(graph.node(id), "DequantizeLinear"))) continue;
    if (!graph.node(id).implicit_inputs.empty()) share_with_subgraphs(graph, graph.node(id));
    if (evaluate(graph, id, context) || materialize(graph, id)) ++folded;
  }
  return folded;
}

}  // namespace

int fold_constants(Graph& graph, const PassContext& context) { return fold(graph, context, context.fuse_quantized); }

int fold_dequantized(Graph& graph, const PassContext& context) {
  return context.fuse_quantized ? fold(graph, context, false) : 0;
}

}  // namespace onnxrun
