#include "ops/support/loop_body.h"

#include <algorithm>
#include <cstring>

#include "ops/support/axis_copy.h"
#include "ops/support/shape_rules.h"

namespace onnxrun::ops {

std::vector<Type> infer_loop_body(const InferContext& context, const Graph& body, std::vector<Type> inputs,
                                  const LoopStates& states) {
  // Every round knows less than the one before.
  constexpr int kMaxRounds = 8;
  for (int round = 0;; ++round) {
    std::vector<ValueFact> facts(inputs.size());
    for (size_t i = 0; i < inputs.size(); ++i) facts[i].type = inputs[i];
    const std::vector<ValueFact> results = context.infer_subgraph(body, facts);
    std::vector<Type> outputs;
    outputs.reserve(results.size());
    for (const ValueFact& fact : results) outputs.push_back(fact.type);
    bool changed = false;
    for (size_t k = 0; k < states.count; ++k) {
      Type& input = inputs[states.first_input + k];
      Type joined = join(input, outputs[states.first_output + k]);
      if (round + 1 >= kMaxRounds) joined.shape = {};
      changed = changed || joined.to_string() != input.to_string();
      input = joined;
      outputs[states.first_output + k] = std::move(joined);
    }
    if (!changed || round > kMaxRounds) return outputs;
  }
}

Tensor stack(const std::vector<Tensor>& tensors, const Type& element, int64_t axis, int64_t length) {
  Shape shape;
  for (const Dim& extent : element.shape) shape.push_back(std::max<int64_t>(extent.number_or_negative(), 0));
  if (!tensors.empty()) shape = tensors[0].shape();
  const DType dtype = tensors.empty() ? element.dtype : tensors[0].dtype();
  const size_t along = normalize_axis(axis, shape.rank() + 1);
  Shape result = shape;
  result.insert(along, length);
  Tensor stacked(dtype, result);
  const bool is_partial = static_cast<int64_t>(tensors.size()) < length;
  if ((is_partial || is_packed(dtype)) && dtype != DType::string) {
    std::memset(stacked.mutable_data(), 0, stacked.bytes());
  }
  for (size_t i = 0; i < tensors.size(); ++i) {
    TensorView part = tensors[i];
    if (!(part.shape == shape) || part.dtype != dtype) {
      RunContext::fail("the iterations make tensors of different types: " + shape.to_string() + " and " +
                       part.shape.to_string());
    }
    part.shape.insert(along, 1);
    copy_into(part, along, stacked.mutable_data(), result, static_cast<int64_t>(i));
  }
  return stacked;
}

}  // namespace onnxrun::ops
