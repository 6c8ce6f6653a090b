#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace onnxrun {

// Adds the nodes of a gradient to a graph, all of one version of ai.onnx whatever the model imports.
class GradientBuilder {
 public:
  GradientBuilder(Graph& graph, const Node& call);

  // One node with one output.
  ValueId add(std::string op_type, std::vector<ValueId> inputs, std::vector<Attribute> attributes = {});
  // One node with `outputs` outputs.
  std::vector<ValueId> add_many(std::string op_type, std::vector<ValueId> inputs, size_t outputs,
                                std::vector<Attribute> attributes = {});
  // A copy of the node on other inputs, with new outputs and, where the name is given, another attribute.
  std::vector<ValueId> copy(Node node, std::vector<ValueId> inputs, std::vector<Attribute> changes = {});

  // A tensor like `like`, every element `value`.
  ValueId fill_like(ValueId like, float value);
  // `gradient` summed over the axes along which `like` was broadcast.
  ValueId sum_to(ValueId gradient, ValueId like);
  ValueId reshape_like(ValueId value, ValueId like) { return add("Reshape", {value, add("Shape", {like})}); }
  // The position of each element of `like`, row-major.
  ValueId positions(ValueId like);
  // A tensor like `like`: each element of `gradient` added at its position.
  ValueId scatter(ValueId gradient, ValueId positions, ValueId like);
  ValueId vector(const std::vector<int64_t>& values);
  ValueId scalar(int64_t value);

 private:
  ValueId constant(const Shape& shape, const std::vector<int64_t>& values);

  Graph& graph_;
  std::string prefix_;
  std::vector<std::string> origins_;
  size_t count_ = 0;
};

// One node of the differentiated function, for its rule.
struct GradientCall {
  GradientBuilder& build;
  const Node& node;
  std::vector<ValueId> gradients;                  // of the outputs; kNoValue for those that have none
  std::vector<bool> wanted;                        // inputs whose gradient is asked for
  std::vector<std::vector<ValueId>> results = {};  // what each input's gradient is the sum of

  ValueId x(size_t i = 0) const { return node.inputs[i]; }
  ValueId y() const { return node.outputs[0]; }
  ValueId g() const { return gradients[0]; }
  bool wants(size_t i) const { return i < wanted.size() && wanted[i]; }
  void give(size_t i, ValueId gradient) {
    if (wants(i)) results[i].push_back(gradient);
  }
};

using GradientRule = void (*)(GradientCall&);

// By operator, those of our own as "onnxrun.NAME".
const std::map<std::string_view, GradientRule>& layer_rules();

// Fills in the results of the call. \throws Error(unsupported_operator) where the operator has no rule.
void differentiate_node(GradientCall& call);

// Whether the operator's outputs do not change with small changes of its inputs: they pass no gradient on.
bool is_piecewise_constant(const Node& node);

}  // namespace onnxrun
