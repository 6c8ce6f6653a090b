#include "graph/differentiate.h"

#include <algorithm>
#include <map>
#include <set>

#include "graph/attribute.h"
#include "graph/gradient_rules.h"
#include "onnxrun/error.h"

namespace onnxrun {
namespace {

constexpr std::string_view kDomain = "ai.onnx.preview.training";
constexpr size_t kMaxNodes = size_t{1} << 22;

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::invalid_model, message); }

// One Gradient node on its way to be replaced.
class Differentiator {
 public:
  Differentiator(Graph& graph, const Node& call) : graph_(graph), call_(call), build_(graph, call) {
    AttributeReader attributes(call.attributes, 1, 1);
    const std::vector<std::string> xs = attributes.strings("xs");
    const std::vector<std::string> zs = attributes.strings("zs");
    const std::string y = attributes.string("y", "");
    attributes.finish();
    if (call.inputs.size() != xs.size() + zs.size()) {
      refuse("has " + std::to_string(call.inputs.size()) + " inputs for " + std::to_string(xs.size() + zs.size()) +
             " names in xs and zs");
    }
    if (call.outputs.size() > xs.size()) refuse("has more outputs than names in xs");
    for (size_t i = 0; i < call.inputs.size(); ++i) {
      if (call.inputs[i] == kNoValue) refuse("omits input " + std::to_string(i));
      mapped_[find(i < xs.size() ? xs[i] : zs[i - xs.size()])] = call.inputs[i];
      if (i < xs.size()) active_.insert(call.inputs[i]);
    }
    y_ = find(y);
  }

  void expand() {
    std::vector<Node> backward = evaluate_forward();
    std::reverse(backward.begin(), backward.end());
    const ValueId y = map(y_);
    gradients_[y] = {build_.fill_like(y, 1)};
    for (const Node& node : backward) go_back(node);
    for (size_t i = 0; i < call_.outputs.size(); ++i) {
      if (call_.outputs[i] == kNoValue) continue;
      Node copy;
      copy.name = call_.name;
      copy.op_type = "Identity";
      copy.opset = 1;
      copy.inputs = {gradient(call_.inputs[i])};
      if (copy.inputs[0] == kNoValue) copy.inputs[0] = build_.fill_like(call_.inputs[i], 0);
      copy.outputs = {call_.outputs[i]};
      copy.origins = call_.origins;
      graph_.add_node(std::move(copy));
    }
  }

 private:
  ValueId find(const std::string& name) const {
    for (size_t id = 0; id < graph_.value_count() && !name.empty(); ++id) {
      if (graph_.value(static_cast<ValueId>(id)).name == name) return static_cast<ValueId>(id);
    }
    refuse("names '" + name + "', which the graph does not have");
  }

  ValueId map(ValueId id) const {
    const auto found = mapped_.find(id);
    return found == mapped_.end() ? id : found->second;
  }

  // The nodes between xs and zs and y, on the values that the call gives; those of others are there again. In order.
  std::vector<Node> evaluate_forward() {
    std::set<NodeId> needed;
    std::vector<ValueId> open = {y_};
    while (!open.empty()) {
      const ValueId id = open.back();
      open.pop_back();
      if (id == kNoValue || mapped_.count(id) > 0) continue;
      const NodeId producer = graph_.value(id).producer;
      if (producer == kNoNode || !needed.insert(producer).second) continue;
      const Node& node = graph_.node(producer);
      open.insert(open.end(), node.inputs.begin(), node.inputs.end());
      open.insert(open.end(), node.implicit_inputs.begin(), node.implicit_inputs.end());
    }
    std::vector<Node> forward;
    const std::vector<NodeId> order = graph_.order();
    for (const NodeId id : order) {
      if (needed.count(id) > 0) forward.push_back(substitute(graph_.node(id)));
    }
    return forward;
  }

  Node substitute(Node node) {
    std::vector<ValueId> inputs = node.inputs;
    for (ValueId& input : inputs) input = map(input);
    for (const ValueId captured : node.implicit_inputs) {
      if (map(captured) != captured || active_.count(captured) > 0) {
        throw Error(ErrorCode::unsupported_operator, "the gradient of " + node.op_type + " is not supported");
      }
    }
    if (inputs != node.inputs) {
      const std::vector<ValueId> outputs = build_.copy(node, inputs);
      for (size_t j = 0; j < outputs.size(); ++j) {
        if (outputs[j] != kNoValue) mapped_.emplace(node.outputs[j], outputs[j]);
      }
      node.inputs = std::move(inputs);
      node.outputs = outputs;
    }
    const bool is_active =
        std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) { return active_.count(id) > 0; });
    if (is_active && !is_piecewise_constant(node)) active_.insert(node.outputs.begin(), node.outputs.end());
    active_.erase(kNoValue);
    return node;
  }

  // From the gradients of the outputs to those of the inputs.
  void go_back(const Node& node) {
    GradientCall call{build_, node, {}, {}};
    for (const ValueId output : node.outputs) {
      call.gradients.push_back(active_.count(output) > 0 ? gradient(output) : kNoValue);
    }
    for (const ValueId input : node.inputs) call.wanted.push_back(active_.count(input) > 0);
    if (std::all_of(call.gradients.begin(), call.gradients.end(), [](ValueId id) { return id == kNoValue; })) return;
    const bool only_first =
        std::all_of(call.gradients.begin() + 1, call.gradients.end(), [](ValueId id) { return id == kNoValue; });
    if ((call.gradients[0] == kNoValue || !only_first) && node.op_type != "Split") {
      throw Error(ErrorCode::unsupported_operator,
                  "the gradient of " + node.op_type + " through an output but the first is not supported");
    }
    differentiate_node(call);
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      auto& sum = gradients_[node.inputs[i]];
      sum.insert(sum.end(), call.results[i].begin(), call.results[i].end());
    }
  }

  // The sum of what has come back to the value; kNoValue where nothing has.
  ValueId gradient(ValueId id) {
    std::vector<ValueId>& parts = gradients_[id];
    if (parts.empty()) return kNoValue;
    if (parts.size() > 1) parts = {build_.add("Sum", parts)};
    return parts[0];
  }

  Graph& graph_;
  const Node call_;
  GradientBuilder build_;
  ValueId y_ = kNoValue;
  std::map<ValueId, ValueId> mapped_;                  // from the values named to those given, and what follows
  std::set<ValueId> active_;                           // values that change with xs
  std::map<ValueId, std::vector<ValueId>> gradients_;  // contributions to each value's gradient
};

}  // namespace

void expand_gradients(Graph& graph) {
  const std::vector<NodeId> order = graph.order();
  for (const NodeId id : order) {
    for (const auto& subgraph : Graph::subgraphs(graph.node(id))) expand_gradients(*subgraph);
    const Node call = graph.node(id);
    if (call.domain != kDomain || call.op_type != "Gradient") continue;
    try {
      graph.remove_node(id);
      Differentiator(graph, call).expand();
      graph.sort();
      if (graph.node_count() > kMaxNodes) {
        throw Error(ErrorCode::limit, "gradients expand to more than " + std::to_string(kMaxNodes) + " nodes");
      }
    } catch (const Error& error) {
      throw Error(error.code(), "node " + call.label + ": " + error.what());
    }
  }
}

}  // namespace onnxrun
