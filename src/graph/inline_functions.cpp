#include "graph/inline_functions.h"

#include <algorithm>
#include <unordered_map>

#include "onnxrun/error.h"

namespace onnxrun {
namespace {

constexpr size_t kMaxCallDepth = 64;
constexpr size_t kMaxNodes = size_t{1} << 22;

const Attribute* find_attribute(const std::vector<Attribute>& attributes, const std::string& name) {
  const auto found = std::find_if(attributes.begin(), attributes.end(),
                                  [&](const Attribute& attribute) { return attribute.name == name; });
  return found == attributes.end() ? nullptr : &*found;
}

// Replaces references by the attributes of the call, in subgraphs too; drops those that the call does not give.
void substitute(std::vector<Attribute>& attributes, const std::vector<Attribute>& given) {
  std::vector<Attribute> result;
  for (Attribute& attribute : attributes) {
    if (const auto* reference = std::get_if<AttributeReference>(&attribute.value)) {
      const Attribute* value = find_attribute(given, reference->name);
      if (value) result.push_back({attribute.name, value->value});
      continue;
    }
    result.push_back(std::move(attribute));
  }
  attributes = std::move(result);
}

void substitute(Graph& graph, const std::vector<Attribute>& given) {
  for (const NodeId id : graph.order()) {
    substitute(graph.node(id).attributes, given);
    for (const auto& subgraph : Graph::subgraphs(graph.node(id))) substitute(*subgraph, given);
  }
}

class Inliner {
 public:
  explicit Inliner(const GraphModel& model) : model_(model) {}

  void expand(Graph& graph) {
    bool changed = false;
    // Bodies append nodes; those are expanded by the recursion, not by this loop.
    const std::vector<NodeId> order = graph.order();
    for (const NodeId id : order) {
      for (const auto& subgraph : Graph::subgraphs(graph.node(id))) expand(*subgraph);
      const Function* function = find(graph.node(id));
      if (!function) continue;
      const std::string label = graph.node(id).label;
      try {
        inline_call(graph, id, *function);
      } catch (const Error& error) {
        throw Error(error.code(), "node " + label + ": " + error.what());
      }
      changed = true;
    }
    if (changed) graph.sort();
  }

 private:
  const Function* find(const Node& node) const {
    const auto found = std::find_if(model_.functions.begin(), model_.functions.end(), [&](const Function& function) {
      return function.domain == node.domain && function.name == node.op_type && function.overload == node.overload;
    });
    return found == model_.functions.end() ? nullptr : &*found;
  }

  void inline_call(Graph& graph, NodeId call_id, const Function& function) {
    if (std::find(callers_.begin(), callers_.end(), &function) != callers_.end()) {
      throw Error(ErrorCode::invalid_model, "the function '" + function.name + "' calls itself");
    }
    if (callers_.size() >= kMaxCallDepth) {
      throw Error(ErrorCode::limit, "functions call each other more than " + std::to_string(kMaxCallDepth) + " deep");
    }
    const Node call = graph.node(call_id);
    if (call.inputs.size() > function.body->inputs.size() || call.outputs.size() > function.body->outputs.size()) {
      throw Error(ErrorCode::invalid_model, "has more inputs or outputs than the function '" + function.name + "'");
    }
    const std::shared_ptr<Graph> body = clone(*function.body);
    std::vector<Attribute> given = call.attributes;
    for (const Attribute& attribute : function.default_attributes) {
      if (!find_attribute(given, attribute.name)) given.push_back(attribute);
    }
    substitute(*body, given);
    callers_.push_back(&function);
    expand(*body);
    callers_.pop_back();
    if ((nodes_ += body->order().size()) > kMaxNodes) {
      throw Error(ErrorCode::limit, "functions expand to more than " + std::to_string(kMaxNodes) + " nodes");
    }
    graph.remove_node(call_id);
    splice(graph, call, *body);
  }

  // Adds the body's nodes to the graph, formal values replaced by those of the call.
  void splice(Graph& graph, const Node& call, const Graph& body) {
    const std::string prefix = (call.name.empty() ? call.op_type : call.name) + "/" + std::to_string(calls_++) + "/";
    std::unordered_map<ValueId, ValueId> mapped{{kNoValue, kNoValue}};
    for (size_t i = 0; i < body.inputs.size(); ++i)
      mapped[body.inputs[i]] = i < call.inputs.size() ? call.inputs[i] : kNoValue;
    for (size_t j = 0; j < call.outputs.size(); ++j) {
      // An output that is an input, or appears twice, is copied below.
      if (call.outputs[j] != kNoValue) mapped.emplace(body.outputs[j], call.outputs[j]);
    }
    const auto map = [&](ValueId id) {
      const auto known = mapped.find(id);
      if (known != mapped.end()) return known->second;
      const GraphValue& inner = body.value(id);
      const ValueId outer = graph.add_value(prefix + inner.name);
      graph.value(outer).constant = inner.constant;
      graph.value(outer).declared = inner.declared;
      return mapped[id] = outer;
    };
    for (const NodeId id : body.order()) {
      Node node = body.node(id);
      std::transform(node.inputs.begin(), node.inputs.end(), node.inputs.begin(), map);
      std::transform(node.outputs.begin(), node.outputs.end(), node.outputs.begin(), map);
      std::vector<ValueId> implicit;
      for (const ValueId captured : node.implicit_inputs) implicit.push_back(map(captured));
      std::erase(implicit, kNoValue);
      node.implicit_inputs = std::move(implicit);
      for (const auto& subgraph : Graph::subgraphs(node)) {
        for (Capture& capture : subgraph->captures) {
          capture.outer = map(capture.outer);
          if (capture.outer == kNoValue) {
            throw Error(ErrorCode::invalid_model,
                        "omits '" + capture.name + "', which a subgraph of the function reads");
          }
          subgraph->value(capture.inner).constant = graph.value(capture.outer).constant;
        }
      }
      node.name = prefix + node.name;
      node.origins = call.origins;
      graph.add_node(std::move(node));
    }
    for (size_t j = 0; j < call.outputs.size(); ++j) {
      if (call.outputs[j] == kNoValue || mapped.at(body.outputs[j]) == call.outputs[j]) continue;
      Node copy;
      copy.name = prefix + "copy";
      copy.op_type = "Identity";
      copy.opset = 1;
      copy.inputs = {mapped.at(body.outputs[j])};
      copy.outputs = {call.outputs[j]};
      copy.origins = call.origins;
      graph.add_node(std::move(copy));
    }
  }

  const GraphModel& model_;
  std::vector<const Function*> callers_;  // of the call that is being replaced
  size_t nodes_ = 0;
  size_t calls_ = 0;
};

}  // namespace

void inline_functions(GraphModel& model) {
  if (!model.functions.empty()) Inliner(model).expand(model.graph);
}

}  // namespace onnxrun
