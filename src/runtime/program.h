#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/thread_pool.h"
#include "graph/graph.h"
#include "runtime/segment_plan.h"

namespace onnxrun {

// What the programs of a session share.
struct ProgramEnvironment {
  PlanOptions options;
  PackedStore& store;
  ThreadPool& pool;
};

class Program;

// What one run of a program changes: its memory and its values. Used by one run at a time, kept for the next.
struct RunState {
  std::vector<Value> slots;  // by ValueId
  std::vector<bool> shared;  // slots whose memory belongs to an input or a constant
  AlignedBuffer arena;
  size_t arena_bytes = 0;
  // The two newest of each output, by ValueId, where they are kept: the memory of those that the caller has let go of
  // serves again. Two, for the last one often is let go of when the next one is there.
  bool keeps_outputs = false;
  std::vector<std::array<Tensor, 2>> outputs;
  bool backwards = false;  // in every other run: see PlanContext::alternate
  // Operand addresses of each plan that has run on this arena.
  std::unordered_map<uint64_t, std::vector<void*>> tables;
  std::map<const Graph*, std::unique_ptr<RunState>> nested;
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
  // Called behind each step of the program itself with the time of its begin and its end, where set.
  using Time = std::chrono::steady_clock::time_point;
  std::function<void(const Step& step, Time begin, Time end)> on_step;
};

// A graph that can be run. Immutable but for its cache of plans; any number of threads may run it, each on a RunState.
class Program {
 public:
  // `graph` is typed and bound, and must outlive the program. Plans at once what does not depend on the inputs.
  Program(const Graph& graph, const ProgramEnvironment& environment);
  ~Program();

  // `inputs`: one value for each of the graph's inputs, then for each of its captures.
  // \throws Error naming the node.
  std::vector<Value> run(RunState& state, std::vector<Value> inputs) const;

  // The plans of the newest run or, before any, those made at load.
  std::vector<std::shared_ptr<const SegmentPlan>> newest_plans() const;
  const Graph& graph() const noexcept { return graph_; }
  const ProgramEnvironment& environment() const noexcept { return environment_; }
  const Program& nested(const Graph& graph) const { return *nested_.at(&graph); }

 private:
  using PlanPtr = std::shared_ptr<const SegmentPlan>;

  void plan_ahead();
  PlanPtr plan_for(RunState& state, size_t begin) const;
  PlanPtr cached_plan(const RunState& state, size_t begin) const;
  void keep(const PlanPtr& plan) const;
  std::vector<Value> collect_outputs(RunState& state) const;

  const Graph& graph_;
  ProgramEnvironment environment_;
  std::map<const Graph*, std::unique_ptr<Program>> nested_;
  SegmentPlans segments_;
  mutable std::mutex mutex_;
  mutable std::unordered_map<size_t, std::vector<PlanPtr>> plans_;  // by their first node; the last used first
};

// Runs the steps of a plan. \throws Error naming the node.
void execute(const Program& program, const SegmentPlan& plan, RunState& state);

}  // namespace onnxrun
