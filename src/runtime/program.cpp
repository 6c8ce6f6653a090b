#include "runtime/program.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "onnxrun/error.h"

namespace onnxrun {
namespace {

// So many plans are kept of a segment: enough for sentences of any length, of as many steps as a few megabytes hold.
size_t kept_plans(size_t steps) { return std::clamp<size_t>(16384 / std::max<size_t>(1, steps), 32, 256); }

bool same_type(const Type& a, const Type& b) {
  if (a.kind != b.kind || a.dtype != b.dtype) return false;
  return !a.is_tensor() || a.shape == b.shape;
}

// Without making a Type of the value: this is on the path of every run.
bool fits(const Type& planned, const Value& value) {
  if (value.kind() != planned.kind) return false;
  if (!value.is_tensor()) return same_type(planned, Type::of(value));
  const Tensor& tensor = value.tensor();
  if (tensor.dtype() != planned.dtype || tensor.shape().rank() != planned.shape.rank()) return false;
  for (size_t axis = 0; axis < planned.shape.rank(); ++axis) {
    if (!planned.shape[axis].is(tensor.shape()[axis])) return false;
  }
  return true;
}

// Gives symbolic extents likely values, so that weights are packed before the first run: a batch of one, sequences of
// 128. False for maps of unknown size, on which it depends how their weights are packed.
bool make_likely(Type& type) {
  constexpr int64_t kLength = 128;
  if (type.dtype == DType::undefined || !type.shape.has_rank()) return false;
  for (size_t axis = 0; axis < type.shape.rank(); ++axis) {
    if (type.shape[axis].is_number()) continue;
    if (axis >= 2 && type.shape.rank() >= 4) return false;
    type.shape[axis] = axis == 0 ? 1 : kLength;
  }
  return true;
}

bool same_elements(const Tensor& a, const Value& value) {
  const Tensor& b = value.tensor();
  if (a.dtype() == DType::string) return std::ranges::equal(a.values<std::string>(), b.values<std::string>());
  return a.bytes() == b.bytes() && std::memcmp(a.data(), b.data(), a.bytes()) == 0;
}

}  // namespace

Program::Program(const Graph& graph, const ProgramEnvironment& environment)
    : graph_(graph), environment_(environment), segments_(graph) {
  for (const NodeId id : graph_.order()) {
    for (const auto& subgraph : Graph::subgraphs(graph_.node(id))) {
      nested_.emplace(subgraph.get(), std::make_unique<Program>(*subgraph, environment_));
    }
  }
  if (graph_.captures.empty()) plan_ahead();
}

Program::~Program() = default;

void Program::plan_ahead() {
  std::map<ValueId, Type> inputs;
  bool is_guess = false;
  for (const ValueId id : graph_.inputs) {
    Type type = graph_.value(id).type;
    if (type.is_tensor() && !type.is_concrete_tensor()) {
      if (!make_likely(type)) return;
      is_guess = true;
    }
    inputs.emplace(id, std::move(type));
  }
  const auto live = [&](ValueId id) {
    const auto input = inputs.find(id);
    return input == inputs.end() ? Type() : input->second;
  };
  const PlanEnvironment environment{environment_.options, environment_.store, environment_.pool.size()};
  PlanPtr plan;
  try {
    plan = segments_.make(0, live, nullptr, environment);
  } catch (const Error&) {
    if (!is_guess) throw;
  }
  environment_.store.finish(environment_.pool);
  // A plan that stops early may have to know elements; the run makes its own then.
  if (plan && plan->end == graph_.order().size()) keep(plan);
}

Program::PlanPtr Program::cached_plan(const RunState& state, size_t begin) const {
  const std::lock_guard lock(mutex_);
  const auto known = plans_.find(begin);
  if (known == plans_.end()) return nullptr;
  std::vector<PlanPtr>& plans = known->second;
  for (size_t i = 0; i < plans.size(); ++i) {
    const SegmentPlan& plan = *plans[i];
    const bool types = std::all_of(plan.live_in.begin(), plan.live_in.end(), [&](const SegmentPlan::LiveIn& live) {
      return fits(live.type, state.slots[static_cast<size_t>(live.value)]);
    });
    if (!types) continue;
    const bool elements = std::all_of(plan.demands.begin(), plan.demands.end(), [&](const SegmentPlan::Demand& demand) {
      return same_elements(demand.elements, state.slots[static_cast<size_t>(demand.value)]);
    });
    if (!elements) continue;
    const auto found = plans.begin() + static_cast<ptrdiff_t>(i);
    std::rotate(plans.begin(), found, found + 1);
    return plans.front();
  }
  return nullptr;
}

void Program::keep(const PlanPtr& plan) const {
  const std::lock_guard lock(mutex_);
  std::vector<PlanPtr>& plans = plans_[plan->begin];
  plans.insert(plans.begin(), plan);
  if (plans.size() > kept_plans(plan->steps.size())) plans.pop_back();
}

Program::PlanPtr Program::plan_for(RunState& state, size_t begin) const {
  if (PlanPtr plan = cached_plan(state, begin)) return plan;
  const auto live = [&](ValueId id) { return Type::of(state.slots[static_cast<size_t>(id)]); };
  const InferContext::Demand elements = [&](ValueId id) -> const Tensor* {
    const Value& value = state.slots[static_cast<size_t>(id)];
    return value.is_tensor() ? &value.tensor() : nullptr;
  };
  const PlanEnvironment environment{environment_.options, environment_.store, environment_.pool.size()};
  try {
    PlanPtr plan = segments_.make(begin, live, elements, environment);
    environment_.store.finish(environment_.pool);
    keep(plan);
    return plan;
  } catch (const Error& error) {
    // The model was valid with the types it declares; these inputs are what does not fit.
    if (error.code() != ErrorCode::invalid_model) throw;
    throw Error(ErrorCode::run_failed, error.what());
  }
}

std::vector<Value> Program::run(RunState& state, std::vector<Value> inputs) const {
  state.slots.resize(graph_.value_count());
  state.shared.assign(graph_.value_count(), false);
  for (size_t i = 0; i < inputs.size(); ++i) {
    const ValueId id = i < graph_.inputs.size() ? graph_.inputs[i] : graph_.captures[i - graph_.inputs.size()].inner;
    state.slots[static_cast<size_t>(id)] = std::move(inputs[i]);
    state.shared[static_cast<size_t>(id)] = true;
  }
  try {
    for (size_t begin = 0; begin < graph_.order().size();) {
      const PlanPtr plan = plan_for(state, begin);
      execute(*this, *plan, state);
      begin = plan->end;
    }
    std::vector<Value> outputs = collect_outputs(state);
    for (Value& slot : state.slots) slot = {};
    return outputs;
  } catch (...) {
    for (Value& slot : state.slots) slot = {};
    throw;
  }
}

std::vector<Value> Program::collect_outputs(RunState& state) const {
  std::vector<Value> outputs;
  for (const ValueId id : graph_.outputs) {
    const GraphValue& value = graph_.value(id);
    if (value.constant) {
      outputs.emplace_back(value.constant->tensor().clone());
      continue;
    }
    const Value& slot = state.slots[static_cast<size_t>(id)];
    const bool copy = state.shared[static_cast<size_t>(id)] && slot.is_tensor();
    outputs.push_back(copy ? Value(slot.tensor().clone()) : slot);
  }
  return outputs;
}

std::vector<std::shared_ptr<const SegmentPlan>> Program::newest_plans() const {
  const std::lock_guard lock(mutex_);
  std::vector<PlanPtr> newest;
  for (size_t begin = 0; begin < graph_.order().size();) {
    const auto plans = plans_.find(begin);
    if (plans == plans_.end()) break;
    newest.push_back(plans->second.front());
    begin = newest.back()->end;
  }
  return newest;
}

}  // namespace onnxrun
