#include "runtime/segment_plan.h"

#include <algorithm>
#include <atomic>

#include "base/aligned_buffer.h"
#include "base/checked.h"
#include "graph/content.h"
#include "graph/inference.h"
#include "onnxrun/error.h"
#include "runtime/memory_planner.h"
#include "runtime/packed_store.h"

namespace onnxrun {
namespace {

constexpr int kNever = -1;

// What is decided of a value while a segment is planned.
struct ValuePlan {
  bool is_touched = false;  // a node of the segment names it
  bool existed = false;     // before the segment
  bool is_operand = false;  // a step reads it, or something in its storage
  int made = kNever;        // the step that makes it; kNever for what exists before the segment
  int last_use = kNever;    // the last step that reads it, past the last one where it outlives the segment
  bool needs_slot = false;
  ValueId root = kNoValue;  // the value whose storage it lives in
  size_t offset = 0;
};

// Memory that one or more values share.
struct StoragePlan {
  size_t bytes = 0;
  int first = kNever;
  int last = kNever;
  int overwritten = kNever;  // the last step that writes its output over an input in here
  bool needs_slot = false;
  bool pinned = false;  // exists before the segment: never written, never merged
};

// The tables of a planner, by ValueId. They are kept from one segment to the next: only what was touched is cleared.
struct Tables {
  std::vector<ValueFact> facts;
  std::vector<ValuePlan> values;
  std::vector<StoragePlan> storages;
  std::vector<size_t> arena_offsets;
  std::vector<ValueId> touched;

  void reserve(size_t count) {
    if (values.size() >= count) return;
    facts.resize(count);
    values.resize(count);
    storages.resize(count);
    arena_offsets.resize(count);
  }
  void clear() {
    for (const ValueId id : touched) {
      const auto at = static_cast<size_t>(id);
      facts[at] = {};
      values[at] = {};
      storages[at] = {};
      arena_offsets[at] = 0;
    }
    touched.clear();
  }
};

class SegmentPlanner {
 public:
  SegmentPlanner(const Graph& graph, const PlanIndex& index, size_t begin, const SegmentPlans::LiveType& live,
                 const InferContext::Demand& elements, const PlanEnvironment& environment, Tables& tables)
      : graph_(graph),
        index_(index),
        live_(live),
        elements_(elements),
        environment_(environment),
        plan_(std::make_shared<SegmentPlan>()),
        tables_(tables),
        facts_(tables.facts),
        values_(tables.values),
        storages_(tables.storages),
        arena_offsets_(tables.arena_offsets) {
    plan_->begin = begin;
    plan_->end = begin;
    tables_.reserve(graph.value_count());
  }
  ~SegmentPlanner() { tables_.clear(); }
  SegmentPlanner(const SegmentPlanner&) = delete;
  SegmentPlanner& operator=(const SegmentPlanner&) = delete;

  std::shared_ptr<const SegmentPlan> run() {
    infer();
    find_uses();
    make_steps();
    join_elementwise_steps();
    merge_storages();
    place();
    finish();
    return plan_;
  }

 private:
  const ValueFact& fact(ValueId id) const { return facts_[static_cast<size_t>(id)]; }
  ValuePlan& value(ValueId id) { return values_[static_cast<size_t>(id)]; }
  StoragePlan& storage(ValueId id) { return storages_[static_cast<size_t>(id)]; }
  bool exists_before(ValueId id) const { return values_[static_cast<size_t>(id)].existed; }
  const Node& node_at(size_t position) const { return graph_.node(graph_.order()[position]); }

  void touch(ValueId id) {
    if (id == kNoValue || value(id).is_touched) return;
    tables_.touched.push_back(id);
    ValuePlan& plan = value(id);
    plan.is_touched = true;
    plan.root = id;
    ValueFact& known = facts_[static_cast<size_t>(id)];
    if (graph_.value(id).constant) {
      known = index_.constant(id);
      return;
    }
    known.type = live_(id);
    plan.existed = known.type.kind != ValueKind::none;
  }

  void touch(const Node& node) {
    for (const auto* ids : {&node.inputs, &node.implicit_inputs, &node.outputs}) {
      for (const ValueId id : *ids) touch(id);
    }
  }

  // Infers until a node's outputs cannot be known before something is computed.
  void infer() {
    bool waits = false;
    const InferContext::Demand demand = [&](ValueId id) -> const Tensor* {
      const Tensor* tensor = exists_before(id) && elements_ ? elements_(id) : nullptr;
      if (!tensor) {
        waits = true;
        return nullptr;
      }
      const bool noted = std::any_of(plan_->demands.begin(), plan_->demands.end(),
                                     [&](const SegmentPlan::Demand& known) { return known.value == id; });
      if (!noted) plan_->demands.push_back({id, tensor->clone()});
      return tensor;
    };
    while (plan_->end < graph_.order().size()) {
      const Node& node = node_at(plan_->end);
      touch(node);
      waits = false;
      infer_node(graph_, node, facts_, demand);
      if (waits || !is_plannable(node)) break;
      ++plan_->end;
    }
    if (plan_->end == plan_->begin && plan_->begin < graph_.order().size() && elements_) {
      const Node& node = node_at(plan_->begin);
      throw Error(ErrorCode::run_failed, "node " + node.label +
                                             ": the shape of its output cannot be determined; inputs: " +
                                             describe_inputs(graph_, node, facts_));
    }
  }

  OperatorTraits traits_of(const Node& node) const {
    OperatorTraits traits = node.op->traits();
    traits.whole_values = traits.whole_values ||
                          (traits.any_value && std::any_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
                             return id != kNoValue && !fact(id).type.is_tensor();
                           }));
    return traits;
  }

  bool is_plannable(const Node& node) const {
    const OperatorTraits traits = traits_of(node);
    if (traits.whole_values) return true;
    const bool inputs_known = std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
      return id == kNoValue || fact(id).type.is_concrete_tensor();
    });
    if (!inputs_known) return false;
    return traits.data_dependent || std::all_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
             return id == kNoValue || fact(id).type.is_concrete_tensor();
           });
  }

  int step_count() const { return static_cast<int>(plan_->end - plan_->begin); }

  void find_uses() {
    for (int step = 0; step < step_count(); ++step) {
      const Node& node = node_at(plan_->begin + static_cast<size_t>(step));
      const OperatorTraits traits = traits_of(node);
      for (const ValueId id : node.inputs) {
        if (id != kNoValue && traits.whole_values) value(id).needs_slot = true;
      }
      for (const ValueId id : node.implicit_inputs) value(id).needs_slot = true;
      for (const ValueId id : node.outputs) {
        if (id == kNoValue) continue;
        value(id).made = step;
        if (traits.whole_values || traits.data_dependent) value(id).needs_slot = true;
      }
    }
    for (const ValueId id : tables_.touched) {
      if (graph_.value(id).constant) continue;
      ValuePlan& plan = value(id);
      const int position = index_.last_use(id);
      // Uses behind the segment count as one step past its end.
      if (position >= static_cast<int>(plan_->begin)) {
        plan.last_use = std::min(position - static_cast<int>(plan_->begin), step_count());
      }
      // Strings own memory of their own, which an arena would not construct.
      if (plan.last_use == step_count() || plan.existed || fact(id).type.dtype == DType::string) plan.needs_slot = true;
    }
  }

  static TensorType concrete(const Type& type) {
    if (!type.is_concrete_tensor()) return {};
    return {type.dtype, type.shape.concrete()};
  }

  void make_steps() {
    for (int index = 0; index < step_count(); ++index) {
      const NodeId id = graph_.order()[plan_->begin + static_cast<size_t>(index)];
      const Node& node = graph_.node(id);
      Step step;
      step.node = id;
      step.input_count = node.inputs.size();
      std::vector<PlanContext::Operand> inputs = describe(node.inputs, step);
      for (size_t i = 0; i < inputs.size(); ++i) {
        if (inputs[i].present && !inputs[i].constant) inputs[i].known = known_elements(node.inputs[i]);
      }
      std::vector<PlanContext::Operand> outputs = describe(node.outputs, step);
      const OperatorTraits traits = traits_of(node);
      step.makes_values = traits.whole_values || traits.data_dependent;
      if (!step.makes_values) {
        try {
          check_sizes(step);
          PlanContext context(std::move(inputs), std::move(outputs), environment_.options, environment_.store);
          node.op->plan(context);
          step.plan = std::move(context.result());
        } catch (const Error& error) {
          throw Error(error.code(), "node " + node.label + ": " + error.what() +
                                        "; inputs: " + describe_inputs(graph_, node, facts_));
        }
      }
      step.runs_whole = step.makes_values || (step.plan.phases.empty() && step.plan.views.empty());
      plan_->steps.push_back(std::move(step));
    }
  }

  // Elements of a step that has nothing but one elementwise phase; 0 for others.
  static int64_t elements_of(const Step& step) {
    const StepPlan& plan = step.plan;
    const bool alone = !step.runs_whole && plan.phases.size() == 1 && plan.views.empty() && plan.scratch_bytes == 0 &&
                       plan.shared_bytes == 0;
    return alone ? plan.phases[0].elements : 0;
  }

  // Neighbouring steps on as many elements go through memory once. What one of them reads is kept, and what one makes
  // is there, from the first to the last: only in place may one write over what another has read.
  void join_elementwise_steps() {
    std::vector<Step>& steps = plan_->steps;
    for (size_t begin = 0, end = 0; begin < steps.size(); begin = end) {
      const int64_t elements = elements_of(steps[begin]);
      for (end = begin + 1; elements > 0 && end < steps.size() && elements_of(steps[end]) == elements;) ++end;
      for (size_t index = begin; index < end; ++index) {
        first_together_.push_back(static_cast<int>(begin));
        last_together_.push_back(static_cast<int>(end - 1));
      }
      steps[begin].together = end - begin;
    }
  }

  // What is certain of the elements of a value that is no constant.
  Tensor known_elements(ValueId id) const {
    for (const SegmentPlan::Demand& demand : plan_->demands) {
      if (demand.value == id) return demand.elements;
    }
    const ValueFact& known = fact(id);
    const bool is_whole =
        known.has_content && known.type.is_concrete_tensor() &&
        std::all_of(known.content.begin(), known.content.end(), [](const Dim& element) { return element.is_number(); });
    return is_whole ? tensor_of(known.content, known.type.dtype, known.type.shape.concrete()) : Tensor();
  }

  static void check_sizes(const Step& step) {
    for (const Operand& operand : step.operands) {
      if (operand.home == Home::none || operand.home == Home::constant) continue;
      const size_t bytes = operand.type.bytes();
      if (bytes > memory_limit()) {
        throw Error(ErrorCode::limit, "a tensor of type " + operand.type.to_string() + " needs " +
                                          std::to_string(bytes) + " bytes, the memory limit is " +
                                          std::to_string(memory_limit()));
      }
    }
  }

  std::vector<PlanContext::Operand> describe(const std::vector<ValueId>& ids, Step& step) {
    std::vector<PlanContext::Operand> described;
    for (const ValueId id : ids) {
      PlanContext::Operand operand;
      Operand planned;
      if (id != kNoValue) {
        planned.value = id;
        planned.home = Home::slot;
        planned.type = concrete(fact(id).type);
        operand.present = true;
        operand.type = planned.type;
        operand.constant = graph_.value(id).constant;
        if (operand.constant) planned.home = Home::constant;
      }
      described.push_back(std::move(operand));
      step.operands.push_back(std::move(planned));
    }
    return described;
  }

  // Every value starts with a storage of its own; views, in-place pairs and placements merge them.
  void merge_storages() {
    for (const ValueId id : tables_.touched) {
      const ValuePlan& plan = value(id);
      StoragePlan& memory = storage(id);
      memory.pinned = plan.existed || graph_.value(id).constant;
      if (plan.made == kNever) continue;
      // What an operator makes by itself may share memory with anything.
      memory.pinned = memory.pinned || plan_->steps[static_cast<size_t>(plan.made)].makes_values;
      memory.first = plan.made;
      memory.last = std::max(plan.made, plan.last_use);
      memory.needs_slot = plan.needs_slot;
      const Type& type = fact(id).type;
      if (type.is_concrete_tensor()) memory.bytes = concrete(type).bytes();
    }
    for (size_t index = 0; index < plan_->steps.size(); ++index) {
      Step& step = plan_->steps[index];
      for (const StepPlan::View& view : step.plan.views) merge_view(step, view);
      for (const auto& [output, input] : step.plan.in_place)
        merge_in_place(step, output, input, static_cast<int>(index));
    }
    for (size_t index = 0; index < plan_->steps.size(); ++index) {
      const Step& step = plan_->steps[index];
      for (const StepPlan::Placement& placement : step.plan.placements)
        merge_placement(step, placement, static_cast<int>(index));
    }
  }

  static ValueId output_of(const Step& step, size_t j) { return step.operands[step.input_count + j].value; }

  void merge_view(const Step& step, const StepPlan::View& view) {
    const ValueId input = step.operands[view.input].value;
    const ValueId output = output_of(step, view.output);
    absorb(value(input).root, output, value(input).offset + view.byte_offset);
  }

  // Moves `id`, a root, into the storage `root`, at `offset`.
  void absorb(ValueId root, ValueId id, size_t offset) {
    StoragePlan& into = storages_[static_cast<size_t>(root)];
    const StoragePlan& from = storages_[static_cast<size_t>(id)];
    if (!into.pinned) {
      into.first = std::min(into.first, from.first);
      into.last = std::max(into.last, from.last);
      into.overwritten = std::max(into.overwritten, from.overwritten);
      into.needs_slot = into.needs_slot || from.needs_slot;
    } else {
      into.last = std::max(into.last, from.last);
    }
    for (const ValueId other : tables_.touched) {
      ValuePlan& plan = value(other);
      if (plan.root != id || other == id) continue;
      plan.root = root;
      plan.offset += offset;
    }
    value(id).root = root;
    value(id).offset = offset;
  }

  void merge_in_place(const Step& step, size_t output_index, size_t input_index, int index) {
    const Operand& operand = step.operands[input_index];
    const ValueId output = output_of(step, output_index);
    if (operand.home != Home::slot || operand.value == kNoValue || output == kNoValue) return;
    if (value(output).root != output) return;  // an earlier pair was taken
    const ValueId root = value(operand.value).root;
    const StoragePlan& memory = storages_[static_cast<size_t>(root)];
    const bool same_place =
        value(operand.value).offset == 0 && memory.bytes == storages_[static_cast<size_t>(output)].bytes;
    if (memory.pinned || memory.last != index || !same_place) return;
    const auto uses =
        std::count_if(step.operands.begin(), step.operands.begin() + static_cast<ptrdiff_t>(step.input_count),
                      [&](const Operand& other) { return other.value != kNoValue && value(other.value).root == root; });
    if (uses != 1) return;
    absorb(root, output, 0);
    storages_[static_cast<size_t>(root)].overwritten = index;
  }

  // An input moves into the output where it is a whole storage of its own, made inside this segment, and nothing that
  // is written over one of the two afterwards changes what is still read of the other.
  void merge_placement(const Step& step, const StepPlan::Placement& placement, int index) {
    const Operand& operand = step.operands[placement.input];
    const ValueId output = output_of(step, placement.output);
    if (operand.home != Home::slot || operand.value == kNoValue || output == kNoValue) return;
    const ValueId root = value(operand.value).root;
    const ValueId into = value(output).root;
    const StoragePlan& memory = storages_[static_cast<size_t>(root)];
    const StoragePlan& target = storages_[static_cast<size_t>(into)];
    const bool whole = value(operand.value).offset == 0 && memory.bytes == operand.type.bytes();
    if (root == into || memory.pinned || target.pinned || memory.needs_slot || !whole) return;
    if (memory.overwritten > index || (memory.last > index && target.overwritten > index)) return;
    const size_t offset = value(output).offset + placement.byte_offset;
    if (offset % kAlignment == 0) absorb(into, root, offset);
  }

  // Gives arena offsets to storages and scratch.
  void place() {
    std::vector<Lifetime> lifetimes;
    std::vector<size_t*> targets;
    for (const ValueId id : tables_.touched) {
      const StoragePlan& memory = storage(id);
      if (value(id).root != id || value(id).made == kNever || memory.pinned || memory.needs_slot) continue;
      const int last = memory.last < step_count() ? last_together_[static_cast<size_t>(memory.last)] : memory.last;
      lifetimes.push_back(
          {first_together_[static_cast<size_t>(memory.first)], last, std::max<size_t>(memory.bytes, 1)});
      targets.push_back(&arena_offsets_[static_cast<size_t>(id)]);
    }
    for (size_t index = 0; index < plan_->steps.size(); ++index) {
      Step& step = plan_->steps[index];
      step.plan.scratch_bytes = align_up(step.plan.scratch_bytes, kAlignment);
      step.plan.shared_bytes = align_up(step.plan.shared_bytes, kAlignment);
      size_t bytes = 0;
      if (!checked_mul(step.plan.scratch_bytes, static_cast<size_t>(environment_.workers), bytes) ||
          !checked_add(bytes, step.plan.shared_bytes, bytes)) {
        throw Error(ErrorCode::limit, "scratch memory overflows");
      }
      if (bytes == 0) continue;
      lifetimes.push_back({static_cast<int>(index), static_cast<int>(index), bytes});
      targets.push_back(&step.scratch_offset);
    }
    const MemoryPlan memory = plan_memory(lifetimes);
    for (size_t i = 0; i < targets.size(); ++i) *targets[i] = memory.offsets[i];
    plan_->arena_bytes = memory.arena_bytes;
  }

  void finish() {
    static std::atomic<uint64_t> next_id{1};
    plan_->id = next_id.fetch_add(1, std::memory_order_relaxed);
    for (Step& step : plan_->steps) finish_step(step);
    add_allocations();
    add_releases();
    note_live_in();
  }

  void finish_step(Step& step) {
    step.table_begin = plan_->table_size;
    plan_->table_size += step.operands.size();
    for (size_t k = 0; k < step.operands.size(); ++k) {
      Operand& operand = step.operands[k];
      const bool is_output = k >= step.input_count;
      if (operand.home == Home::constant) {
        const auto is_among = [&](const std::vector<size_t>& inputs) {
          return std::find(inputs.begin(), inputs.end(), k) != inputs.end();
        };
        const ConstantPtr& constant = graph_.value(operand.value).constant;
        if (is_among(step.plan.byte_inputs)) {
          operand.constant = constant->tensor().data();
        } else if (!is_among(step.plan.packed_inputs)) {
          operand.constant = aligned_data(environment_.store, constant);
        }
      }
      if (operand.home != Home::slot) continue;
      ValuePlan& plan = value(operand.value);
      operand.offset = plan.offset;
      operand.storage = plan.root;
      const StoragePlan& memory = storages_[static_cast<size_t>(plan.root)];
      const ConstantPtr& constant = graph_.value(plan.root).constant;
      if (constant) {  // a view of a constant
        operand.home = Home::constant;
        operand.constant = static_cast<const std::byte*>(aligned_data(environment_.store, constant)) + plan.offset;
      } else if (!memory.pinned && !memory.needs_slot) {
        operand.home = Home::arena;
        operand.offset += arena_offsets_[static_cast<size_t>(plan.root)];
      } else if (!(is_output && step.makes_values)) {
        step.slot_operands.push_back(k);
      }
      if (is_output && plan.needs_slot && plan.root != operand.value && !step.makes_values) step.published.push_back(k);
    }
  }

  void add_allocations() {
    for (const ValueId id : tables_.touched) {
      const StoragePlan& memory = storage(id);
      const bool is_root = value(id).root == id && value(id).made != kNever;
      if (!is_root || memory.pinned || !memory.needs_slot) continue;
      const bool is_output = std::any_of(graph_.outputs.begin(), graph_.outputs.end(),
                                         [&](ValueId output) { return value(output).root == id; });
      plan_->steps[static_cast<size_t>(memory.first)].allocations.push_back({id, concrete(fact(id).type), is_output});
    }
  }

  // A slot can go once its value and, for an owner of memory, everything inside is used up.
  void add_releases() {
    for (const ValueId id : tables_.touched) {
      const ValuePlan& plan = value(id);
      const StoragePlan& memory = storage(plan.root);
      const bool owns = plan.root == id;
      if (owns ? !(memory.needs_slot || memory.pinned) : !plan.needs_slot) continue;
      if (graph_.value(id).constant) continue;
      const int last = std::max({owns ? std::max(memory.last, plan.last_use) : plan.last_use, plan.made});
      if (last == kNever || last >= step_count()) continue;
      plan_->steps[static_cast<size_t>(last)].releases.push_back(id);
    }
  }

  void note_live_in() {
    for (const Step& step : plan_->steps) {
      for (const Operand& operand : step.operands) {
        if (operand.value != kNoValue) value(operand.value).is_operand = true;
        if (operand.storage != kNoValue) value(operand.storage).is_operand = true;
      }
    }
    for (const ValueId id : tables_.touched) {
      if (value(id).existed && value(id).is_operand) plan_->live_in.push_back({id, fact(id).type});
    }
  }

  const Graph& graph_;
  const PlanIndex& index_;
  const SegmentPlans::LiveType& live_;
  const InferContext::Demand& elements_;
  const PlanEnvironment& environment_;
  std::shared_ptr<SegmentPlan> plan_;
  std::vector<int> first_together_, last_together_;  // of the steps that run together with each
  Tables& tables_;
  std::vector<ValueFact>& facts_;
  std::vector<ValuePlan>& values_;
  std::vector<StoragePlan>& storages_;
  std::vector<size_t>& arena_offsets_;
};

}  // namespace

PlanIndex::PlanIndex(const Graph& graph) : last_uses_(graph.value_count(), -1) {
  const auto note = [&](ValueId id, size_t position) {
    if (id != kNoValue) last_uses_[static_cast<size_t>(id)] = static_cast<int>(position);
  };
  for (size_t position = 0; position < graph.order().size(); ++position) {
    const Node& node = graph.node(graph.order()[position]);
    for (const ValueId id : node.inputs) note(id, position);
    for (const ValueId id : node.implicit_inputs) note(id, position);
  }
  for (const ValueId id : graph.outputs) note(id, graph.order().size());
  for (size_t at = 0; at < graph.value_count(); ++at) {
    const auto id = static_cast<ValueId>(at);
    if (graph.value(id).constant) constants_.emplace(id, constant_fact(*graph.value(id).constant));
  }
}

std::shared_ptr<const SegmentPlan> SegmentPlans::make(size_t begin, const LiveType& live,
                                                      const InferContext::Demand& elements,
                                                      const PlanEnvironment& environment) const {
  // A subgraph is never planned while a graph around it is.
  thread_local Tables tables;
  return SegmentPlanner(graph_, index_, begin, live, elements, environment, tables).run();
}

}  // namespace onnxrun
