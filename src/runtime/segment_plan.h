#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "graph/graph.h"
#include "graph/operator.h"

namespace onnxrun {

// Where an operand's elements are.
enum class Home : uint8_t {
  none,      // an omitted operand
  constant,  // at an address that does not change
  arena,     // at an offset of the run's arena
  slot,      // in a value of its own: inputs, outputs, what other segments, subgraphs or containers read
};

struct Operand {
  Home home = Home::none;
  ValueId value = kNoValue;
  ValueId storage = kNoValue;  // home slot: the value that owns the memory
  size_t offset = 0;           // into the arena, or into the storage
  const void* constant = nullptr;
  TensorType type;  // where it is known; dtype undefined otherwise
};

// A node with everything decided.
struct Step {
  NodeId node = kNoNode;
  StepPlan plan;
  std::vector<Operand> operands;  // inputs, then outputs
  size_t input_count = 0;
  size_t table_begin = 0;     // of the operands' pointers in the run's table
  size_t scratch_offset = 0;  // into the arena: shared memory, then that of each worker
  size_t together = 1;        // so many steps from this one on take each stretch of elements one after the other
  bool runs_whole = false;    // Operator::run rather than phases
  bool makes_values = false;  // outputs are stored by Operator::run itself, of types that may not be known before

  struct Allocation {
    ValueId value = kNoValue;
    TensorType type;
    bool is_output = false;  // holds an output of the graph
  };
  std::vector<Allocation> allocations;  // slots to fill before the step
  std::vector<size_t> slot_operands;    // operands whose address is looked up at each run
  std::vector<size_t> published;        // outputs that become a slot of their own, sharing another's memory
  std::vector<ValueId> releases;        // slots that nobody reads after the step
};

// The nodes [begin, end) of a graph's order, planned for given types. Immutable.
struct SegmentPlan {
  // What must hold for the plan to fit.
  struct LiveIn {
    ValueId value = kNoValue;
    Type type;
  };
  struct Demand {
    ValueId value = kNoValue;
    Tensor elements;
  };

  size_t begin = 0;
  size_t end = 0;
  std::vector<LiveIn> live_in;
  std::vector<Demand> demands;
  std::vector<Step> steps;
  size_t table_size = 0;
  size_t arena_bytes = 0;
  uint64_t id = 0;  // unique in the process
};

// What planning needs to know beyond the graph.
struct PlanEnvironment {
  PlanOptions options;
  PackedStore& store;
  int workers = 1;
};

// What planning asks of a graph, found once. Immutable.
class PlanIndex {
 public:
  explicit PlanIndex(const Graph& graph);

  // The position in the graph's order of the last node that reads the value, past the end for graph outputs; -1 where
  // nobody reads it.
  int last_use(ValueId id) const { return last_uses_[static_cast<size_t>(id)]; }
  // Of a constant.
  const ValueFact& constant(ValueId id) const { return constants_.at(id); }

 private:
  std::vector<int> last_uses_;
  std::unordered_map<ValueId, ValueFact> constants_;
};

// Plans segments of a graph.
class SegmentPlans {
 public:
  explicit SegmentPlans(const Graph& graph) : graph_(graph), index_(graph) {}

  // What a value that exists already is; kind none for the others.
  using LiveType = std::function<Type(ValueId)>;

  // Plans nodes from position `begin` on, up to the first whose output types need elements that are not computed yet.
  // `elements` gives the elements of a value that exists; null where planning is done ahead of a run.
  // \throws Error naming the node.
  std::shared_ptr<const SegmentPlan> make(size_t begin, const LiveType& live, const InferContext::Demand& elements,
                                          const PlanEnvironment& environment) const;

 private:
  const Graph& graph_;
  PlanIndex index_;
};

}  // namespace onnxrun
