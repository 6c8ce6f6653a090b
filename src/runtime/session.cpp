#include "onnxrun/session.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>

#include "base/aligned_buffer.h"
#include "base/cpu_features.h"
#include "base/thread_pool.h"
#include "graph/inference.h"
#include "graph/passes/pass.h"
#include "graph/random_seed.h"
#include "kernels/channel_block.h"
#include "onnxrun/error.h"
#include "runtime/evaluate.h"
#include "runtime/operation_count.h"
#include "runtime/operators.h"
#include "runtime/packed_cache.h"
#include "runtime/packed_store.h"
#include "runtime/program.h"

namespace onnxrun {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMaxNamedProblems = 10;

double milliseconds_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

int thread_count(const SessionOptions& options) {
  if (options.threads < 0) throw Error(ErrorCode::usage, "threads cannot be " + std::to_string(options.threads));
  const int available = available_processors();
  if (options.threads == 0) return available;
  return options.oversubscribe ? options.threads : std::min(options.threads, available);
}

// One line for everything that a model needs and this library lacks.
[[noreturn]] void refuse(const std::vector<ModelProblem>& problems) {
  const auto invalid =
      std::find_if(problems.begin(), problems.end(), [](const ModelProblem& problem) { return !problem.unsupported; });
  if (invalid != problems.end()) {
    const auto count = std::count_if(problems.begin(), problems.end(),
                                     [](const ModelProblem& problem) { return !problem.unsupported; });
    std::string text;
    size_t named = 0;
    for (const ModelProblem& problem : problems) {
      if (problem.unsupported || named++ >= kMaxNamedProblems) continue;
      text += (text.empty() ? "" : "; ") + problem.message;
    }
    if (static_cast<size_t>(count) > kMaxNamedProblems)
      text += "; +" + std::to_string(static_cast<size_t>(count) - kMaxNamedProblems) + " more";
    throw Error(ErrorCode::invalid_model, text);
  }
  std::set<std::string> kinds;
  std::string text;
  for (const ModelProblem& problem : problems) {
    const std::string domain = problem.domain.empty() ? "ai.onnx" : problem.domain;
    const std::string kind = domain + "." + problem.op_type + "-" + std::to_string(problem.opset);
    if (!kinds.insert(kind).second || kinds.size() > kMaxNamedProblems) continue;
    // Why, where it is not that there is no such operator.
    const bool is_unknown = problem.message.ends_with(" is not supported");
    const std::string where = is_unknown ? problem.message.substr(0, problem.message.find(": ")) : problem.message;
    text += (text.empty() ? "" : ", ") + kind + " (first at " + where + ")";
  }
  if (kinds.size() > kMaxNamedProblems) {
    text += ", +" + std::to_string(kinds.size() - kMaxNamedProblems) + " more; see onnxrun check";
  }
  throw Error(
      ErrorCode::unsupported_operator,
      std::to_string(problems.size()) + (problems.size() == 1 ? " node is" : " nodes are") + " not supported: " + text);
}

void check_dims(const GraphModel& model, const std::map<std::string, int64_t>& dims) {
  for (const auto& dim : dims) {
    const std::string& name = dim.first;
    const int64_t value = dim.second;
    if (value < 0) throw Error(ErrorCode::usage, "dimension '" + name + "' cannot be " + std::to_string(value));
    const bool used = std::any_of(model.inputs.begin(), model.inputs.end(), [&](const ValueInfo& input) {
      return std::any_of(input.type.dims.begin(), input.type.dims.end(), [&](const DeclaredDim& declared) {
        return !declared.name.empty() && (declared.name == name || input.name + "." + declared.name == name);
      });
    });
    if (!used) throw Error(ErrorCode::usage, "no input has a dimension named '" + name + "'");
  }
}

void add_outputs(Graph& graph, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    ValueId found = kNoValue;
    for (size_t id = 0; id < graph.value_count() && found == kNoValue; ++id) {
      if (graph.value(static_cast<ValueId>(id)).name == name) found = static_cast<ValueId>(id);
    }
    if (found == kNoValue) throw Error(ErrorCode::usage, "the model has no value '" + name + "'");
    graph.outputs.push_back(found);
  }
}

// Checks a value against what the model declares.
void check_input(const ValueInfo& declared, const Type& type, const Value& value) {
  const auto refuse_value = [&](const std::string& why) {
    throw Error(ErrorCode::invalid_input, "input '" + declared.name + "' is " + value.type_string() +
                                              ", the model takes " + type.to_string() + why);
  };
  if (type.kind == ValueKind::none) return;
  if (value.kind() != type.kind) refuse_value("");
  if (!value.is_tensor()) return;
  const Tensor& tensor = value.tensor();
  if (type.dtype != DType::undefined && tensor.dtype() != type.dtype) refuse_value(": another element type");
  if (!type.shape.has_rank()) return;
  if (tensor.shape().rank() != type.shape.rank()) refuse_value(": another number of dimensions");
  for (size_t axis = 0; axis < type.shape.rank(); ++axis) {
    const Dim& dim = type.shape[axis];
    if (dim.is_number() && dim.number() != tensor.shape()[axis])
      refuse_value(": dimension " + std::to_string(axis) + " differs");
  }
}

// A name means one number in all inputs of a run.
void check_symbols(const std::vector<ValueInfo>& declared, const std::vector<Type>& types,
                   std::span<const Value> values) {
  std::map<std::string, std::pair<int64_t, std::string>> bound;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!types[i].is_tensor() || !types[i].shape.has_rank()) continue;
    for (size_t axis = 0; axis < types[i].shape.rank(); ++axis) {
      if (!types[i].shape[axis].is_expression()) continue;
      const std::string name = types[i].shape[axis].to_string();
      const int64_t dim = values[i].tensor().shape()[axis];
      const auto [known, is_new] = bound.try_emplace(name, dim, declared[i].name);
      if (is_new || known->second.first == dim) continue;
      throw Error(ErrorCode::invalid_input, "dimension '" + name + "' is " + std::to_string(known->second.first) +
                                                " in input '" + known->second.second + "' and " + std::to_string(dim) +
                                                " in input '" + declared[i].name + "'");
    }
  }
}

}  // namespace

class Session::Impl {
 public:
  Impl(const Model& model, const SessionOptions& options) : options_(options), pool_(thread_count(options)) {
    const auto begin = Clock::now();
    if (options.memory_limit > 0) set_memory_limit(options.memory_limit);
    model_ = model.graph_model();
    check_dims(*model_, options.dims);
    graph_ = clone(model_->graph);
    add_outputs(*graph_, options.extra_outputs);
    if (options.seed) seed_random_operators(*graph_, *options.seed);
    std::vector<ModelProblem> problems;
    bind_operators(operators(), *graph_, problems);
    if (!problems.empty()) refuse(problems);
    std::vector<std::string> warnings;
    infer_graph(*graph_, options.dims, warnings);
    const PlanOptions plan{options.precision, options.opt_level == 0, options.keep_denormals, pool_.size() == 1};
    const auto evaluate = [&](const Graph& graph, const Node& node) { return evaluate_node(graph, node, plan); };
    const bool is_strict = options.precision == Precision::strict;
    const PassContext context{operators(), evaluate, static_cast<int64_t>(channel_block()), !is_strict,
                              !is_strict && has_byte_convolutions()};
    passes_ = run_passes(*graph_, context,
                         {options.opt_level, options.disabled_passes, options.verify_passes, options.dims}, warnings);
    describe_interface();
    std::optional<PackedCache> cache;
    if (!options.cache_directory.empty()) {
      cache.emplace(*model_, options, warnings_);
      cache->open(store_);
    }
    program_ = std::make_unique<Program>(*graph_, ProgramEnvironment{plan, store_, pool_});
    if (cache) cache->save(store_);
    load_milliseconds_ = milliseconds_since(begin);
  }

  std::vector<Value> run(std::span<const Value> inputs, const RunOptions& options) {
    if (inputs.size() != inputs_.size()) {
      throw Error(ErrorCode::invalid_input, std::to_string(inputs.size()) + " inputs are given, the model takes " +
                                                std::to_string(inputs_.size()) + input_names());
    }
    for (size_t i = 0; i < inputs.size(); ++i) check_input(inputs_[i], input_types_[i], inputs[i]);
    if (has_symbols_) check_symbols(inputs_, input_types_, inputs);
    std::unique_ptr<RunState> state = acquire();
    state->keeps_outputs = true;
    state->deadline = options.timeout.count() > 0 ? Clock::now() + options.timeout : Clock::time_point::max();
    state->on_step = nullptr;
    if (options.on_step) {
      state->on_step = [&, start = Clock::now()](const Step& step, Clock::time_point begin, Clock::time_point end) {
        options.on_step({describe(step), begin - start, end - begin});
      };
    }
    std::vector<Value> values(inputs.begin(), inputs.end());
    for (Value& value : values) {
      if (value.is_tensor() && !is_element_aligned(value.tensor())) value = value.tensor().clone();
    }
    std::vector<Value> outputs = program_->run(*state, std::move(values));
    release(std::move(state));
    return outputs;
  }

  std::vector<Value> run(const std::vector<std::pair<std::string, Value>>& named, const RunOptions& options) {
    std::vector<Value> inputs(inputs_.size());
    std::vector<bool> given(inputs_.size(), false);
    for (const auto& pair : named) {
      const std::string& name = pair.first;
      const Value& value = pair.second;
      const auto found =
          std::find_if(inputs_.begin(), inputs_.end(), [&](const ValueInfo& info) { return info.name == name; });
      if (found == inputs_.end()) {
        throw Error(ErrorCode::invalid_input, "the model has no input '" + name + "'; it takes" + input_names());
      }
      const auto index = static_cast<size_t>(found - inputs_.begin());
      if (given[index]) throw Error(ErrorCode::invalid_input, "input '" + name + "' is given twice");
      inputs[index] = value;
      given[index] = true;
    }
    for (size_t i = 0; i < given.size(); ++i) {
      if (!given[i]) throw Error(ErrorCode::invalid_input, "input '" + inputs_[i].name + "' is missing");
    }
    return run(inputs, options);
  }

  const std::vector<ValueInfo>& inputs() const { return inputs_; }
  const std::vector<ValueInfo>& outputs() const { return outputs_; }

  SessionInfo info() const {
    SessionInfo info;
    info.threads = pool_.size();
    info.isa = isa_name(selected_isa());
    info.load_milliseconds = load_milliseconds_;
    info.packed_bytes = store_.bytes();
    info.cached_bytes = store_.cached_bytes();
    for (size_t id = 0; id < graph_->value_count(); ++id) {
      const ConstantPtr& constant = graph_->value(static_cast<ValueId>(id)).constant;
      if (!constant || constant->source() != Constant::Source::computed || !constant->kept()) continue;
      info.constant_bytes += constant->bytes();
    }
    for (const auto& plan : program_->newest_plans()) info.arena_bytes = std::max(info.arena_bytes, plan->arena_bytes);
    info.passes = passes_;
    info.warnings = warnings_;
    return info;
  }

  std::vector<StepInfo> steps() const {
    std::vector<StepInfo> list;
    for (const auto& plan : program_->newest_plans()) {
      for (const Step& step : plan->steps) list.push_back(describe(step));
    }
    return list;
  }

 private:
  StepInfo describe(const Step& step) const {
    const Node& node = graph_->node(step.node);
    StepInfo info{node.label, step.plan.implementation, {}, 0, multiply_adds(node, step)};
    for (size_t k = step.input_count; k < step.operands.size(); ++k) {
      const Operand& operand = step.operands[k];
      if (operand.value == kNoValue) continue;
      const std::string type = operand.type.dtype == DType::undefined ? "?" : operand.type.to_string();
      info.outputs.push_back(graph_->value(operand.value).name + " " + type);
    }
    for (const Phase& phase : step.plan.phases) info.tiles += phase.tile_count;
    return info;
  }

  void describe_interface() {
    for (const ValueId id : graph_->inputs) {
      const GraphValue& value = graph_->value(id);
      inputs_.push_back({value.name, value.type.declared()});
      input_types_.push_back(value.type);
      has_symbols_ = has_symbols_ || std::any_of(value.type.shape.begin(), value.type.shape.end(),
                                                 [](const Dim& dim) { return dim.is_expression(); });
    }
    for (const ValueId id : graph_->outputs) {
      const GraphValue& value = graph_->value(id);
      bool conflict = false;
      outputs_.push_back({value.name, merge(value.type, value.declared, conflict).declared()});
    }
  }

  std::string input_names() const {
    std::string names;
    for (const ValueInfo& input : inputs_)
      names += (names.empty() ? ": '" : ", '") + input.name + "' " + input.type.to_string();
    return names;
  }

  std::unique_ptr<RunState> acquire() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return std::make_unique<RunState>();
    std::unique_ptr<RunState> state = std::move(idle_.back());
    idle_.pop_back();
    return state;
  }

  void release(std::unique_ptr<RunState> state) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(state));
  }

  SessionOptions options_;
  ThreadPool pool_;
  std::shared_ptr<const GraphModel> model_;
  std::shared_ptr<Graph> graph_;
  std::vector<PassReport> passes_;
  std::vector<std::string> warnings_;
  MemoryPackedStore store_;
  std::unique_ptr<Program> program_;
  std::vector<ValueInfo> inputs_;
  std::vector<ValueInfo> outputs_;
  std::vector<Type> input_types_;
  bool has_symbols_ = false;
  double load_milliseconds_ = 0;
  std::mutex mutex_;
  std::vector<std::unique_ptr<RunState>> idle_;
};

Session::Session(const Model& model, const SessionOptions& options) : impl_(std::make_unique<Impl>(model, options)) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

const std::vector<ValueInfo>& Session::inputs() const { return impl_->inputs(); }
const std::vector<ValueInfo>& Session::outputs() const { return impl_->outputs(); }

std::vector<Value> Session::run(std::span<const Value> inputs, const RunOptions& options) const {
  return impl_->run(inputs, options);
}

std::vector<Value> Session::run(const std::vector<std::pair<std::string, Value>>& inputs,
                                const RunOptions& options) const {
  return impl_->run(inputs, options);
}

SessionInfo Session::info() const { return impl_->info(); }
std::vector<StepInfo> Session::steps() const { return impl_->steps(); }

}  // namespace onnxrun
