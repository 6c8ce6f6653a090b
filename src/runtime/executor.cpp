// Runs the steps of a plan: see program.h.
#include <algorithm>
#include <atomic>
#include <new>
#include <span>
#include <stdexcept>

#include "base/checked.h"
#include "base/denormals.h"
#include "onnxrun/error.h"
#include "runtime/program.h"

namespace onnxrun {
namespace {

// Below this much work a meeting of threads does not pay.
constexpr double kMinParallelNanoseconds = 3'000;

Value& slot(RunState& state, ValueId id) { return state.slots[static_cast<size_t>(id)]; }

void* address(const Operand& operand, RunState& state) {
  switch (operand.home) {
    case Home::none:
      return nullptr;
    case Home::constant:
      return const_cast<void*>(operand.constant);
    case Home::arena:
      return state.arena.get() + operand.offset;
    case Home::slot: {
      Value& value = slot(state, operand.storage);
      if (!value.is_tensor()) return nullptr;
      return static_cast<std::byte*>(value.tensor().mutable_data()) + operand.offset;
    }
  }
  return nullptr;
}

// A node's run, for operators without phases.
class StepRun final : public RunContext {
 public:
  StepRun(const Program& program, const Step& step, RunState& state, void* const* table)
      : program_(program), step_(step), state_(state), table_(table) {}

  size_t input_count() const override { return step_.input_count; }
  bool has_input(size_t i) const override { return i < step_.input_count && step_.operands[i].home != Home::none; }
  bool wants(size_t j) const override {
    return j < step_.operands.size() - step_.input_count && output_operand(j).value != kNoValue;
  }

  TensorView input(size_t i) const override {
    const Operand& operand = step_.operands[i];
    if (operand.type.dtype != DType::undefined) return {operand.type.dtype, operand.type.shape, table_[i]};
    const ConstantPtr& constant = program_.graph().value(operand.value).constant;
    return constant ? constant->tensor().view() : slot(state_, operand.value).tensor().view();
  }

  Value value(size_t i) override {
    const Operand& operand = step_.operands[i];
    const ConstantPtr& constant = program_.graph().value(operand.value).constant;
    if (constant) return constant->tensor();
    const Value& held = slot(state_, operand.value);
    return held.kind() == ValueKind::none ? Value(Tensor::copy_of(input(i))) : held;
  }

  Value take(size_t i) override {
    const ValueId id = step_.operands[i].value;
    const auto& releases = step_.releases;
    const auto& operands = step_.operands;
    const bool last = std::find(releases.begin(), releases.end(), id) != releases.end() &&
                      std::count_if(operands.begin(), operands.begin() + static_cast<ptrdiff_t>(step_.input_count),
                                    [&](const Operand& operand) { return operand.value == id; }) == 1;
    return last ? std::move(slot(state_, id)) : value(i);
  }

  void* allocate(size_t j, DType dtype, const Shape& shape) override {
    const Operand& operand = output_operand(j);
    if (step_.makes_values) {
      Tensor tensor(dtype, shape);
      void* data = tensor.mutable_data();
      if (operand.value != kNoValue) slot(state_, operand.value) = std::move(tensor);
      return data;
    }
    if (operand.type.dtype != dtype || !(operand.type.shape == shape)) {
      throw std::logic_error("output " + std::to_string(j) + " was inferred as " + operand.type.to_string() +
                             " and is made as " + std::string(dtype_name(dtype)) + shape.to_string());
    }
    return table_[step_.input_count + j];
  }

  void set(size_t j, Value value) override {
    const Operand& operand = output_operand(j);
    if (operand.value == kNoValue) return;
    if (step_.makes_values) {
      // What is passed on may belong to an input.
      state_.shared[static_cast<size_t>(operand.value)] = value.is_tensor() && !value.tensor().unique();
      slot(state_, operand.value) = std::move(value);
      return;
    }
    const Tensor& tensor = value.tensor();
    void* data = allocate(j, tensor.dtype(), tensor.shape());
    if (tensor.dtype() == DType::string) {
      std::ranges::copy(tensor.values<std::string>(), static_cast<std::string*>(data));
    } else {
      std::copy_n(static_cast<const std::byte*>(tensor.data()), tensor.bytes(), static_cast<std::byte*>(data));
    }
  }

  std::vector<Value> run_subgraph(const Graph& graph, std::vector<Value> inputs) override {
    for (const Capture& capture : graph.captures) {
      const ConstantPtr& constant = program_.graph().value(capture.outer).constant;
      inputs.push_back(constant ? Value(constant->tensor()) : slot(state_, capture.outer));
    }
    auto& nested = state_.nested[&graph];
    if (!nested) nested = std::make_unique<RunState>();
    nested->deadline = state_.deadline;
    return program_.nested(graph).run(*nested, std::move(inputs));
  }

 private:
  const Operand& output_operand(size_t j) const { return step_.operands[step_.input_count + j]; }

  const Program& program_;
  const Step& step_;
  RunState& state_;
  void* const* table_;
};

void run_tiles(const Program& program, int64_t count, double nanoseconds,
               FunctionRef<void(int64_t tile, int worker)> body, bool backwards = false) {
  if (nanoseconds < kMinParallelNanoseconds) {
    for (int64_t i = 0; i < count; ++i) body(backwards ? count - 1 - i : i, 0);
  } else {
    program.environment().pool.parallel_for(count, body, backwards);
  }
}

class PhaseDivision : public Division {
 public:
  PhaseDivision(const Program& program, bool flush) : program_(program), flush_(flush) {}
  bool pays(double nanoseconds) const override {
    return program_.environment().pool.size() > 1 && nanoseconds >= kMinParallelNanoseconds;
  }
  void run(int64_t count, FunctionRef<void(int64_t)> body) const override {
    auto flushed = [&](int64_t i, int /*worker*/) {
      const FlushDenormals guard(flush_);
      body(i);
    };
    program_.environment().pool.parallel_for(count, flushed);
  }

 private:
  const Program& program_;
  bool flush_;
};

void run_phase(const Program& program, const Step& step, const Phase& phase, RunState& state, void* const* table) {
  const bool flush = step.plan.flush_denormals;
  std::byte* shared = state.arena.get() + step.scratch_offset;
  std::byte* scratch = shared + step.plan.shared_bytes;
  const size_t scratch_bytes = step.plan.scratch_bytes;
  const bool backwards = phase.alternates && state.backwards;
  const PhaseDivision division(program, flush);
  auto body = [&](int64_t tile, int worker) {
    const FlushDenormals guard(flush);
    phase.run_tile({table, step.input_count, tile, worker, scratch + scratch_bytes * static_cast<size_t>(worker),
                    shared, backwards, phase.tile_count == 1 ? &division : nullptr});
  };
  run_tiles(program, phase.tile_count, phase.nanoseconds_per_tile * static_cast<double>(phase.tile_count), body,
            backwards);
}

// Gives an output that shares another value's memory a value of its own.
void publish(const Program& program, const Operand& operand, RunState& state, void* data) {
  std::shared_ptr<const void> owner;
  bool shared = true;
  if (operand.home == Home::slot) {
    owner = std::make_shared<const Value>(slot(state, operand.storage));
    shared = state.shared[static_cast<size_t>(operand.storage)];
  } else {
    owner = program.graph().value(operand.storage == kNoValue ? operand.value : operand.storage).constant;
  }
  slot(state, operand.value) = Tensor(operand.type.dtype, operand.type.shape, data, std::move(owner));
  state.shared[static_cast<size_t>(operand.value)] = shared;
}

// Stretches of elements that stay in the first level cache from one step to the next.
void run_together(const Program& program, std::span<const Step> steps, void* const* tables) {
  constexpr int64_t kStretch = 2048;
  constexpr double kTileNanoseconds = 20'000;
  const int64_t elements = steps[0].plan.phases[0].elements;
  double cost = 0;
  for (const Step& step : steps) cost += step.plan.phases[0].nanoseconds_per_element;
  const int64_t per_tile =
      ceil_div(std::max<int64_t>(1, static_cast<int64_t>(kTileNanoseconds / cost)), kStretch) * kStretch;
  auto body = [&](int64_t tile, int worker) {
    const int64_t tile_end = std::min(elements, (tile + 1) * per_tile);
    for (int64_t begin = tile * per_tile; begin < tile_end; begin += kStretch) {
      const int64_t end = std::min(tile_end, begin + kStretch);
      for (const Step& step : steps) {
        const FlushDenormals guard(step.plan.flush_denormals);
        step.plan.phases[0].run_elements({tables + step.table_begin, step.input_count, tile, worker}, begin, end);
      }
    }
  };
  run_tiles(program, ceil_div(elements, per_tile), cost * static_cast<double>(elements), body);
}

void run_alone(const Program& program, const Step& step, RunState& state, void** table) {
  if (step.runs_whole) {
    StepRun run(program, step, state, table);
    program.graph().node(step.node).op->run(run);
  } else {
    for (const Phase& phase : step.plan.phases) run_phase(program, step, phase, state, table);
  }
}

Tensor allocate(const Step::Allocation& allocation, RunState& state) {
  const TensorType& type = allocation.type;
  if (!allocation.is_output || !state.keeps_outputs || type.dtype == DType::string) return {type.dtype, type.shape};
  state.outputs.resize(state.slots.size());
  auto& [newest, older] = state.outputs[static_cast<size_t>(allocation.value)];
  const auto serves = [&](const Tensor& kept) {
    return kept.unique() && kept.dtype() == type.dtype && kept.shape() == type.shape;
  };
  if (!serves(newest)) std::swap(newest, older);
  if (serves(newest)) {
    std::atomic_thread_fence(std::memory_order_acquire);  // whoever had it as well has read it
    return newest;
  }
  newest = {};
  return newest = Tensor(type.dtype, type.shape);
}

// One step, or several that run together.
void run_steps(const Program& program, std::span<const Step> steps, RunState& state, void** tables) {
  for (const Step& step : steps) {
    for (const Step::Allocation& allocation : step.allocations) {
      slot(state, allocation.value) = allocate(allocation, state);
    }
    for (const size_t k : step.slot_operands) tables[step.table_begin + k] = address(step.operands[k], state);
  }
  if (steps.size() > 1) {
    run_together(program, steps, tables);
  } else {
    run_alone(program, steps[0], state, tables + steps[0].table_begin);
  }
  for (const Step& step : steps) {
    for (const size_t k : step.published) publish(program, step.operands[k], state, tables[step.table_begin + k]);
    for (const ValueId id : step.releases) slot(state, id) = {};
  }
}

std::vector<void*>& bind_table(const SegmentPlan& plan, RunState& state) {
  if (plan.arena_bytes > state.arena_bytes) {
    state.arena = nullptr;
    state.arena = allocate_aligned(plan.arena_bytes);
    state.arena_bytes = plan.arena_bytes;
    state.tables.clear();
  }
  constexpr size_t kMaxTables = 64;
  if (state.tables.size() > kMaxTables) state.tables.clear();
  const auto [entry, is_new] = state.tables.try_emplace(plan.id);
  std::vector<void*>& table = entry->second;
  if (is_new) {
    table.resize(plan.table_size);
    for (const Step& step : plan.steps) {
      for (size_t k = 0; k < step.operands.size(); ++k) {
        const Operand& operand = step.operands[k];
        if (operand.home != Home::slot) table[step.table_begin + k] = address(operand, state);
      }
    }
  }
  return table;
}

std::string describe_operands(const Graph& graph, const Step& step, RunState& state) {
  std::string text;
  for (size_t i = 0; i < step.input_count; ++i) {
    const Operand& operand = step.operands[i];
    if (!text.empty()) text += ", ";
    if (operand.value == kNoValue) {
      text += "none";
      continue;
    }
    text += "'" + graph.value(operand.value).name + "' ";
    text +=
        operand.type.dtype != DType::undefined ? operand.type.to_string() : slot(state, operand.value).type_string();
  }
  return text.empty() ? "none" : text;
}

}  // namespace

void execute(const Program& program, const SegmentPlan& plan, RunState& state) {
  void** table = bind_table(plan, state).data();
  if (plan.begin == 0) state.backwards = !state.backwards;
  const bool timed = state.deadline != std::chrono::steady_clock::time_point::max();
  for (size_t index = 0; index < plan.steps.size();) {
    const Step& step = plan.steps[index];
    if (timed && std::chrono::steady_clock::now() > state.deadline) {
      throw Error(ErrorCode::limit, "the run took longer than its time limit");
    }
    const auto place = [&](const std::string& what) {
      return "node " + program.graph().node(step.node).label + ": " + what +
             "; inputs: " + describe_operands(program.graph(), step, state);
    };
    try {
      const size_t count = state.on_step ? 1 : step.together;  // each on its own to be timed
      const auto begin = state.on_step ? std::chrono::steady_clock::now() : RunState::Time();
      run_steps(program, std::span(plan.steps).subspan(index, count), state, table);
      if (state.on_step) state.on_step(step, begin, std::chrono::steady_clock::now());
      index += count;
    } catch (const Error& error) {
      throw Error(error.code(), place(error.what()));
    } catch (const std::bad_alloc&) {
      throw Error(ErrorCode::limit, place("memory is used up"));
    }
  }
}

}  // namespace onnxrun
