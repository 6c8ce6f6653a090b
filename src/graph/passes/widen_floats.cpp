// Float16 and bfloat16 networks are computed in float32, for whose sums and products there are kernels: a value between
// two such nodes is not rounded, one that leaves them is, by a Cast. Constants are widened once.
#include <algorithm>
#include <string>
#include <vector>

#include "graph/passes/pass.h"
#include "graph/passes/pattern.h"

namespace onnxrun {
namespace {

constexpr DTypeSet kNarrow = {DType::float16, DType::bfloat16};

bool is_narrow(const Graph& graph, ValueId id) {
  return id != kNoValue && kNarrow.contains(graph.value(id).type.dtype);
}

// A node for which widening pays: what it takes is nothing beside its arithmetic.
bool is_product(const Graph& graph, const Node& node) {
  constexpr std::string_view kProducts[] = {"Conv", "ConvTranspose", "MatMul", "Gemm",     "Einsum",
                                            "LSTM", "GRU",           "RNN",    "Attention"};
  return node.domain.empty() &&
         std::find(std::begin(kProducts), std::end(kProducts), node.op_type) != std::end(kProducts) &&
         is_narrow(graph, node.inputs[0]);
}

const Formal& formal(const std::vector<Formal>& formals, size_t i) { return formals[std::min(i, formals.size() - 1)]; }

// Whether the node computes the same with float32 in place of its narrow tensors: type variables that allow it bind all
// of them, and those of the outputs are bound by inputs.
bool can_widen(const Graph& graph, const Node& node) {
  if (!node.domain.empty() || !node.entry || node.op_type == "BitCast" || !node.implicit_inputs.empty() ||
      !Graph::subgraphs(node).empty()) {
    return false;
  }
  std::vector<std::string_view> variables;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (!is_narrow(graph, node.inputs[i])) continue;
    const Formal& input = formal(node.entry->inputs, i);
    const auto& types = node.entry->types;
    const auto variable = std::find_if(types.begin(), types.end(), [&](const auto& t) { return t.name == input.type; });
    if (variable == types.end() || !variable->tensors.contains(DType::float32) || input.heterogeneous ||
        !graph.value(node.inputs[i]).type.is_tensor()) {
      return false;
    }
    variables.push_back(input.type);
  }
  for (size_t j = 0; j < node.outputs.size(); ++j) {
    if (node.outputs[j] == kNoValue) continue;
    const Type& type = graph.value(node.outputs[j]).type;
    if (!type.is_tensor()) return false;
    const std::string& variable = formal(node.entry->outputs, j).type;
    if (kNarrow.contains(type.dtype) && std::find(variables.begin(), variables.end(), variable) == variables.end()) {
      return false;
    }
  }
  return !variables.empty();
}

Node make_cast(const Node& near, ValueId from, ValueId to, DType dtype) {
  Node cast;
  cast.op_type = "Cast";
  cast.opset = near.opset;
  cast.name = near.name;
  cast.inputs = {from};
  cast.outputs = {to};
  cast.origins = near.origins;
  cast.attributes = {{"to", static_cast<int64_t>(dtype)}};
  return cast;
}

// The float32 twins of values.
class Twins {
 public:
  explicit Twins(Graph& graph) : graph_(graph), twins_(graph.value_count(), kNoValue) {}

  bool has(ValueId id) const { return twins_[static_cast<size_t>(id)] != kNoValue; }
  ValueId make(ValueId id) {
    Type declared = graph_.value(id).declared;
    if (declared.is_tensor()) declared.dtype = DType::float32;
    const ValueId twin = graph_.add_value(graph_.value(id).name + " (float32)");
    graph_.value(twin).declared = std::move(declared);
    return twins_[static_cast<size_t>(id)] = twin;
  }
  ValueId operator[](ValueId id) const { return twins_[static_cast<size_t>(id)]; }

 private:
  Graph& graph_;
  std::vector<ValueId> twins_;
};

}  // namespace

int widen_floats(Graph& graph, const PassContext& context) {
  if (!context.widen_floats) return 0;
  const std::vector<NodeId> order = graph.order();
  if (std::none_of(order.begin(), order.end(), [&](NodeId id) { return is_product(graph, graph.node(id)); })) return 0;

  std::vector<bool> widened(graph.node_count());
  for (const NodeId id : order) widened[static_cast<size_t>(id)] = can_widen(graph, graph.node(id));
  const auto consumers = graph.consumers();
  Twins twins(graph);
  int count = 0;
  for (const NodeId id : order) {
    if (!widened[static_cast<size_t>(id)]) continue;
    Node node = graph.node(id);
    graph.remove_node(id);
    for (ValueId& input : node.inputs) {
      if (!is_narrow(graph, input)) continue;
      if (!twins.has(input)) graph.add_node(make_cast(node, input, twins.make(input), DType::float32));
      input = twins[input];
    }
    for (ValueId& output : node.outputs) {
      if (!is_narrow(graph, output)) continue;
      const auto& readers = consumers[static_cast<size_t>(output)];
      const bool leaves = graph.is_output(output) || std::any_of(readers.begin(), readers.end(), [&](NodeId reader) {
                            return !widened[static_cast<size_t>(reader)];
                          });
      const ValueId wide = twins.make(output);
      if (leaves) graph.add_node(make_cast(node, wide, output, graph.value(output).type.dtype));
      output = wide;
    }
    node.op = nullptr;
    node.entry = nullptr;
    node.removed = false;
    graph.add_node(std::move(node));
    ++count;
  }
  return count;
}

}  // namespace onnxrun
