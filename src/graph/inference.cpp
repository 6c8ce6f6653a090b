#include "graph/inference.h"

#include <algorithm>

#include "graph/content.h"
#include "graph/registry.h"
#include "onnxrun/error.h"

namespace onnxrun {
namespace {

// Values whose inferred type contradicts the declared one.
std::vector<ValueId> find_conflicts(const Graph& graph, const std::vector<ValueFact>& facts) {
  std::vector<ValueId> conflicts;
  for (size_t id = 0; id < facts.size(); ++id) {
    const auto value = static_cast<ValueId>(id);
    bool conflict = false;
    merge(facts[id].type, graph.value(value).declared, conflict);
    if (conflict) conflicts.push_back(value);
  }
  return conflicts;
}

class SymbolicInference {
 public:
  explicit SymbolicInference(std::vector<std::string>& warnings) : warnings_(warnings) {}

  void run(Graph& graph, std::vector<ValueFact>& facts) {
    for (const NodeId id : graph.order()) node(graph, graph.node(id), facts);
    for (const ValueId id : find_conflicts(graph, facts)) {
      const GraphValue& value = graph.value(id);
      const std::string text = "'" + value.name + "' is declared " + value.declared.to_string() + " and inferred " +
                               facts[static_cast<size_t>(id)].type.to_string();
      if (graph.is_output(id)) throw Error(ErrorCode::invalid_model, "graph output " + text);
      warn("value " + text);
    }
    for (size_t id = 0; id < facts.size(); ++id) {
      GraphValue& value = graph.value(static_cast<ValueId>(id));
      value.type = facts[id].type;
      value.content = facts[id].content;
      value.has_content = facts[id].has_content;
    }
  }

 private:
  void node(const Graph& graph, const Node& current, std::vector<ValueFact>& facts);

  std::vector<ValueFact> subgraph(const Node& owner, const std::vector<ValueFact>& facts, const Graph& wanted,
                                  std::span<const ValueFact> inputs) {
    for (const auto& candidate : Graph::subgraphs(owner)) {
      if (candidate.get() != &wanted) continue;
      Graph& inner = *candidate;
      std::vector<ValueFact> inner_facts = initial_facts(inner);
      for (size_t i = 0; i < std::min(inputs.size(), inner.inputs.size()); ++i) {
        inner_facts[static_cast<size_t>(inner.inputs[i])] = inputs[i];
      }
      for (const Capture& capture : inner.captures) {
        inner_facts[static_cast<size_t>(capture.inner)] = facts[static_cast<size_t>(capture.outer)];
      }
      run(inner, inner_facts);
      std::vector<ValueFact> outputs;
      for (const ValueId id : inner.outputs) outputs.push_back(inner_facts[static_cast<size_t>(id)]);
      return outputs;
    }
    return std::vector<ValueFact>(wanted.outputs.size());
  }

  void warn(std::string text) {
    if (std::find(warnings_.begin(), warnings_.end(), text) == warnings_.end()) warnings_.push_back(std::move(text));
  }

  std::vector<std::string>& warnings_;
};

void infer_node_with(const Graph& graph, const Node& node, std::vector<ValueFact>& facts,
                     const InferContext::Demand& demand, const InferContext::InferSubgraph& infer_subgraph) {
  try {
    apply_signature(graph, node, facts);
    InferContext context(graph, node, facts, demand, infer_subgraph);
    node.op->infer(context);
  } catch (const Error& error) {
    throw Error(error.code(),
                "node " + node.label + ": " + error.what() + "; inputs: " + describe_inputs(graph, node, facts));
  }
}

void SymbolicInference::node(const Graph& graph, const Node& current, std::vector<ValueFact>& facts) {
  const InferContext::InferSubgraph infer_subgraph = [&](const Graph& wanted, std::span<const ValueFact> inputs) {
    return subgraph(current, facts, wanted, inputs);
  };
  infer_node_with(graph, current, facts, nullptr, infer_subgraph);
}

// Nothing is assumed of subgraphs at plan time: the operators that have them are data-dependent.
std::vector<ValueFact> unknown_outputs(const Graph& wanted, std::span<const ValueFact> /*inputs*/) {
  return std::vector<ValueFact>(wanted.outputs.size());
}

void bind_dims(const Graph& graph, const std::map<std::string, int64_t>& dims, std::vector<ValueFact>& facts) {
  for (const ValueId id : graph.inputs) {
    DimShape& shape = facts[static_cast<size_t>(id)].type.shape;
    for (size_t axis = 0; axis < shape.rank(); ++axis) {
      if (!shape[axis].is_expression()) continue;
      const std::string name = shape[axis].to_string();
      auto given = dims.find(graph.value(id).name + "." + name);
      if (given == dims.end()) given = dims.find(name);
      if (given != dims.end()) shape[axis] = given->second;
    }
  }
}

}  // namespace

ValueFact constant_fact(const Constant& constant) {
  ValueFact fact;
  fact.type = Type::tensor(constant.dtype(), constant.shape());
  fact.constant = constant.kept();
  if (fact.constant && can_be_content(constant.dtype()) && constant.elements() <= kMaxContentElements) {
    fact.content = content_of(*fact.constant);
    fact.has_content = true;
  }
  return fact;
}

std::vector<ValueFact> initial_facts(const Graph& graph) {
  std::vector<ValueFact> facts(graph.value_count());
  for (const ValueId id : graph.inputs) facts[static_cast<size_t>(id)].type = graph.value(id).declared;
  for (size_t id = 0; id < facts.size(); ++id) {
    const ConstantPtr& constant = graph.value(static_cast<ValueId>(id)).constant;
    if (constant) facts[id] = constant_fact(*constant);
  }
  return facts;
}

void infer_node(const Graph& graph, const Node& node, std::vector<ValueFact>& facts,
                const InferContext::Demand& demand) {
  static const InferContext::InferSubgraph kUnknown = unknown_outputs;
  infer_node_with(graph, node, facts, demand, kUnknown);
}

void infer_graph(Graph& graph, const std::map<std::string, int64_t>& dims, std::vector<std::string>& warnings) {
  std::vector<ValueFact> facts = initial_facts(graph);
  bind_dims(graph, dims, facts);
  SymbolicInference(warnings).run(graph, facts);
}

std::string describe_inputs(const Graph& graph, const Node& node, const std::vector<ValueFact>& facts) {
  std::string text;
  for (const ValueId id : node.inputs) {
    if (!text.empty()) text += ", ";
    text +=
        id == kNoValue ? "none" : "'" + graph.value(id).name + "' " + facts[static_cast<size_t>(id)].type.to_string();
  }
  return text.empty() ? "none" : text;
}

}  // namespace onnxrun
