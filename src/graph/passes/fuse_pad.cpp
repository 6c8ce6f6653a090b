// Lets a convolution or an AveragePool add the zeros that a Pad before it adds around the maps.
#include <algorithm>

#include "graph/passes/pass.h"
#include "graph/passes/pattern.h"

namespace onnxrun {
namespace {

bool adds_zeros(const Graph& graph, const Node& pad) {
  if (!is_operator(pad, "Pad")) return false;
  const std::string* mode = string_attribute(pad, "mode");
  if ((mode && *mode != "constant") || number_attribute(pad, "value", 0) != 0) return false;
  constexpr size_t kValue = 2;
  float value = 0;
  return pad.inputs.size() <= kValue || pad.inputs[kValue] == kNoValue ||
         (read_scalar(graph, pad.inputs[kValue], value) && value == 0);
}

// The pads attribute for what the Pad adds; empty where that is no padding of maps.
std::vector<int64_t> spatial_pads(const Graph& graph, const Node& pad) {
  const auto padding = padding_of(graph, pad);
  if (!padding) return {};
  const auto is_addition = [](const Dim& amount) { return amount.is_number() && amount.number() >= 0; };
  std::vector<int64_t> pads;
  for (const auto* side : {&padding->before, &padding->after}) {
    if (side->size() < 3 || !(*side)[0].is(0) || !(*side)[1].is(0)) return {};
    if (!std::all_of(side->begin(), side->end(), is_addition)) return {};
    for (size_t axis = 2; axis < side->size(); ++axis) pads.push_back((*side)[axis].number());
  }
  return pads;
}

// Whether padding of the operator's own means the same as zeros in its input.
bool can_pad(const Node& node) {
  const std::string* auto_pad = string_attribute(node, "auto_pad");
  if (auto_pad && *auto_pad != "NOTSET") return false;
  if (is_operator(node, "Conv")) return true;
  if (!is_operator(node, "AveragePool") || integer_attribute(node, "ceil_mode", 0) != 0) return false;
  const auto* pads = integers_attribute(node, "pads");
  const bool has_pads = pads && std::any_of(pads->begin(), pads->end(), [](int64_t amount) { return amount != 0; });
  return node.opset >= 7 && (!has_pads || integer_attribute(node, "count_include_pad", 0) != 0);
}

void set_attribute(Node& node, const std::string& name, AttributeValue value) {
  std::erase_if(node.attributes, [&](const Attribute& attribute) { return attribute.name == name; });
  node.attributes.push_back({name, std::move(value)});
}

}  // namespace

int fuse_pad(Graph& graph, const PassContext& /*context*/) {
  const auto consumers = graph.consumers();
  int fused = 0;
  const std::vector<NodeId> order = graph.order();
  for (const NodeId id : order) {
    if (graph.node(id).removed || !adds_zeros(graph, graph.node(id))) continue;
    const Node pad = graph.node(id);
    const NodeId next = only_consumer(graph, consumers, pad.outputs);
    std::vector<int64_t> pads = spatial_pads(graph, pad);
    if (next == kNoNode || pads.empty() || !can_pad(graph.node(next)) || graph.node(next).inputs[0] != pad.outputs[0]) {
      continue;
    }
    Node node = graph.node(next);
    if (const auto* own = integers_attribute(node, "pads")) {
      if (own->size() != pads.size()) continue;
      for (size_t i = 0; i < pads.size(); ++i) pads[i] += (*own)[i];
    }
    set_attribute(node, "pads", pads);
    if (node.op_type == "AveragePool") set_attribute(node, "count_include_pad", int64_t{1});
    node.inputs[0] = pad.inputs[0];
    node.op = nullptr;
    node.origins.insert(node.origins.begin(), pad.origins.begin(), pad.origins.end());
    graph.remove_node(id);
    graph.remove_node(next);
    graph.add_node(std::move(node));
    ++fused;
  }
  return fused;
}

}  // namespace onnxrun
