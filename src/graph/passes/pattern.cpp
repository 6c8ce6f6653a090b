#include "graph/passes/pattern.h"

#include <algorithm>

namespace onnxrun {
namespace {

template <class T>
const T* find_attribute(const Node& node, std::string_view name) {
  for (const Attribute& attribute : node.attributes) {
    if (attribute.name == name) return std::get_if<T>(&attribute.value);
  }
  return nullptr;
}

}  // namespace

bool is_operator(const Node& node, std::string_view op_type) { return node.domain.empty() && node.op_type == op_type; }

int64_t integer_attribute(const Node& node, std::string_view name, int64_t otherwise) {
  const auto* value = find_attribute<int64_t>(node, name);
  return value ? *value : otherwise;
}

float number_attribute(const Node& node, std::string_view name, float otherwise) {
  const auto* value = find_attribute<float>(node, name);
  return value ? *value : otherwise;
}

ConstantPtr constant_of(const Graph& graph, ValueId id) { return id == kNoValue ? nullptr : graph.value(id).constant; }

bool all_constant(const Graph& graph, const std::vector<ValueId>& ids) {
  return std::all_of(ids.begin(), ids.end(), [&](ValueId id) { return constant_of(graph, id) != nullptr; });
}

bool read_scalar(const Graph& graph, ValueId id, float& value) {
  const ConstantPtr constant = constant_of(graph, id);
  if (!constant || constant->tensor.dtype() != DType::float32 || constant->tensor.elements() != 1) return false;
  value = read_unaligned<float>(constant->tensor, 0);
  return true;
}

NodeId only_consumer(const Graph& graph, const std::vector<std::vector<NodeId>>& consumers,
                     const std::vector<ValueId>& outputs) {
  if (outputs.size() != 1 || outputs[0] == kNoValue || graph.is_output(outputs[0])) return kNoNode;
  const auto index = static_cast<size_t>(outputs[0]);
  if (index >= consumers.size() || consumers[index].size() != 1) return kNoNode;
  const NodeId id = consumers[index][0];
  const Node& node = graph.node(id);
  const bool captured =
      std::find(node.implicit_inputs.begin(), node.implicit_inputs.end(), outputs[0]) != node.implicit_inputs.end();
  return node.removed || captured ? kNoNode : id;
}

ValueId add_constant(Graph& graph, std::string name, Tensor tensor) {
  const ValueId id = graph.add_value(std::move(name));
  graph.value(id).constant = std::make_shared<const Constant>(Constant{std::move(tensor), Constant::Source::computed});
  return id;
}

}  // namespace onnxrun
