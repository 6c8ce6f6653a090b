#include "runtime/evaluate.h"

#include "graph/inference.h"
#include "runtime/packed_store.h"
#include "runtime/program.h"

namespace onnxrun {

std::vector<Value> evaluate_node(const Graph& graph, const Node& node, const PlanOptions& options) {
  Graph alone;
  Node copy = node;
  const auto copy_value = [&](ValueId id) {
    if (id == kNoValue) return kNoValue;
    const ValueId copied = alone.add_value(graph.value(id).name);
    alone.value(copied).constant = graph.value(id).constant;
    return copied;
  };
  for (ValueId& id : copy.inputs) id = copy_value(id);
  std::vector<bool> wanted;
  for (ValueId& id : copy.outputs) {
    wanted.push_back(id != kNoValue);
    id = copy_value(id);
    if (id != kNoValue) alone.outputs.push_back(id);
  }
  alone.add_node(std::move(copy));
  std::vector<std::string> warnings;
  infer_graph(alone, {}, warnings);

  MemoryPackedStore store;
  ThreadPool pool(1);
  const Program program(alone, {options, store, pool});
  RunState state;
  std::vector<Value> results = program.run(state, {});
  std::vector<Value> outputs;
  outputs.reserve(wanted.size());
  size_t next = 0;
  for (const bool is_wanted : wanted) outputs.push_back(is_wanted ? std::move(results[next++]) : Value());
  return outputs;
}

}  // namespace onnxrun
