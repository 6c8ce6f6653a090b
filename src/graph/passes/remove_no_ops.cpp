// Removes nodes that pass their input on unchanged.
#include <algorithm>

#include "graph/passes/pass.h"
#include "graph/passes/pattern.h"

namespace onnxrun {
namespace {

bool mask_is_wanted(const Node& node) { return node.outputs.size() > 1 && node.outputs[1] != kNoValue; }

bool is_false_constant(const Graph& graph, ValueId id) {
  const ConstantPtr& constant = graph.value(id).constant;
  return constant && constant->dtype() == DType::boolean && constant->elements() == 1 &&
         !constant->tensor().values<bool>()[0];
}

// Dropout passes its input on unless training_mode (an input since version 12, an attribute is_test before 7) is set,
// and even then if its ratio is zero.
bool is_inference_dropout(const Graph& graph, const Node& node) {
  if (mask_is_wanted(node)) return false;
  if (node.entry->since >= 12) {
    if (node.inputs.size() < 3 || node.inputs[2] == kNoValue || is_false_constant(graph, node.inputs[2])) return true;
    float ratio = 1;
    return read_scalar(graph, node.inputs[1], ratio) && ratio == 0;
  }
  if (node.entry->since >= 7) return true;
  return integer_attribute(node, "is_test", 0) != 0;
}

bool adds_nothing(const Graph& graph, const Node& pad) {
  const auto padding = padding_of(graph, pad);
  if (!padding) return false;
  const auto is_zero = [](const Dim& amount) { return amount.is(0); };
  return std::all_of(padding->before.begin(), padding->before.end(), is_zero) &&
         std::all_of(padding->after.begin(), padding->after.end(), is_zero);
}

bool is_no_op(const Graph& graph, const Node& node) {
  if (!node.domain.empty()) return false;
  const auto same_type = [&] {
    const Type& input = graph.value(node.inputs[0]).type;
    const Type& output = graph.value(node.outputs[0]).type;
    return input.is_concrete_tensor() && output.is_concrete_tensor() && input.dtype == output.dtype &&
           input.shape == output.shape;
  };
  if (node.op_type == "Identity") return true;
  if (node.op_type == "Dropout") return is_inference_dropout(graph, node);
  if (node.op_type == "Cast") {
    const Type& input = graph.value(node.inputs[0]).type;
    return input.is_tensor() && input.dtype != DType::undefined &&
           input.dtype == graph.value(node.outputs[0]).type.dtype;
  }
  if (node.op_type == "Pad") return adds_nothing(graph, node);
  if (node.op_type == "Reshape" || node.op_type == "Flatten" || node.op_type == "Expand") return same_type();
  return false;
}

}  // namespace

int remove_no_ops(Graph& graph, const PassContext& /*context*/) {
  int removed = 0;
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    if (!is_no_op(graph, node)) continue;
    const ValueId input = node.inputs[0];
    const ValueId output = node.outputs[0];
    // A graph output keeps its name and its place.
    if (graph.is_output(output)) continue;
    graph.remove_node(id);
    graph.replace_uses(output, input);
    ++removed;
  }
  return removed;
}

}  // namespace onnxrun
