// Replaces an If whose condition is a constant by the branch that it takes.
#include <unordered_map>

#include "graph/passes/pass.h"

namespace onnxrun {
namespace {

const Graph* taken_branch(const Graph& graph, const Node& node) {
  const ConstantPtr& condition = graph.value(node.inputs[0]).constant;
  if (!condition || condition->dtype() != DType::boolean || condition->elements() != 1) return nullptr;
  const std::string_view name = condition->tensor().values<bool>()[0] ? "then_branch" : "else_branch";
  for (const Attribute& attribute : node.attributes) {
    if (attribute.name == name) return std::get<std::shared_ptr<Graph>>(attribute.value).get();
  }
  return nullptr;
}

void splice_branch(Graph& graph, const Node& node, const Graph& branch) {
  std::unordered_map<ValueId, ValueId> mapped{{kNoValue, kNoValue}};
  for (const Capture& capture : branch.captures) mapped[capture.inner] = capture.outer;
  const auto map = [&](ValueId id) {
    const auto known = mapped.find(id);
    if (known != mapped.end()) return known->second;
    const ValueId copy = graph.add_value(branch.value(id).name);
    graph.value(copy).constant = branch.value(id).constant;
    return mapped[id] = copy;
  };
  for (const NodeId id : branch.order()) {
    Node copy = branch.node(id);
    std::transform(copy.inputs.begin(), copy.inputs.end(), copy.inputs.begin(), map);
    std::transform(copy.implicit_inputs.begin(), copy.implicit_inputs.end(), copy.implicit_inputs.begin(), map);
    std::transform(copy.outputs.begin(), copy.outputs.end(), copy.outputs.begin(), map);
    for (const auto& subgraph : Graph::subgraphs(copy)) {
      for (Capture& capture : subgraph->captures) capture.outer = map(capture.outer);
    }
    graph.add_node(std::move(copy));
  }
  for (size_t j = 0; j < node.outputs.size(); ++j) {
    if (node.outputs[j] == kNoValue) continue;
    Node identity;
    identity.op_type = "Identity";
    identity.opset = node.opset;
    identity.inputs = {map(branch.outputs[j])};
    identity.outputs = {node.outputs[j]};
    identity.origins = node.origins;
    graph.add_node(std::move(identity));
  }
}

}  // namespace

int inline_constant_if(Graph& graph, const PassContext& /*context*/) {
  int inlined = 0;
  const std::vector<NodeId> order = graph.order();
  for (const NodeId id : order) {
    if (!graph.node(id).domain.empty() || graph.node(id).op_type != "If") continue;
    const Node node = graph.node(id);
    const Graph* branch = taken_branch(graph, node);
    if (!branch) continue;
    graph.remove_node(id);
    splice_branch(graph, node, *branch);
    ++inlined;
  }
  return inlined;
}

}  // namespace onnxrun
