#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/thread_pool.h"
#include "graph/graph.h"

namespace onnxrun {

class InferContext;
class PlanContext;
class RunContext;

struct OperatorTraits {
  bool deterministic = true;    // otherwise never folded
  bool data_dependent = false;  // output types depend on elements that shapes do not depend on, or on subgraphs
  bool whole_values = false;    // reads and makes sequences, optionals and maps, or keeps tensors in them
  bool any_value = false;       // whole_values, by run(), where an input is no tensor
};

// An ONNX operator at one version, with its attributes. Immutable: one object serves every run.
class Operator {
 public:
  virtual ~Operator() = default;

  virtual OperatorTraits traits() const { return {}; }

  // The one shape rule, for symbolic extents at load and for numbers at plan time. An output that is left alone has the
  // element type of the signature and an unknown shape.
  virtual void infer(InferContext& context) const = 0;

  // Chooses how to compute, knowing every type: see PlanContext. Without an override, run() does the whole step.
  virtual void plan(PlanContext& context) const;

  // Computes all outputs at once, on one thread.
  virtual void run(RunContext& context) const;
};

// What is known of a value while shapes are inferred.
struct ValueFact {
  Type type;
  Content content;
  bool has_content = false;
  const Tensor* constant = nullptr;
};

// One node's view of shape inference.
class InferContext {
 public:
  using Demand = std::function<const Tensor*(ValueId)>;
  using InferSubgraph = std::function<std::vector<ValueFact>(const Graph&, std::span<const ValueFact>)>;

  InferContext(const Graph& graph, const Node& node, std::vector<ValueFact>& facts, const Demand& demand,
               const InferSubgraph& infer_subgraph)
      : graph_(graph), node_(node), facts_(facts), demand_(demand), infer_subgraph_(infer_subgraph) {}

  const Node& node() const noexcept { return node_; }
  size_t input_count() const noexcept { return node_.inputs.size(); }
  bool has_input(size_t i) const noexcept { return i < node_.inputs.size() && node_.inputs[i] != kNoValue; }
  const Type& type(size_t i) const { return fact(i).type; }
  DType dtype(size_t i) const { return fact(i).type.dtype; }
  const DimShape& shape(size_t i) const { return fact(i).type.shape; }
  const ValueFact& fact(size_t i) const { return facts_[static_cast<size_t>(node_.inputs[i])]; }

  // The elements of an input where they follow from constants and shapes; null otherwise.
  const Tensor* constant(size_t i) const { return fact(i).constant; }
  const Content* content(size_t i) const { return fact(i).has_content ? &fact(i).content : nullptr; }

  // The same, for elements that the output's type depends on: at plan time elements computed earlier count as well, and
  // where they are not there yet the rule runs again once they are. Null: leave the output's shape unknown.
  const Tensor* required_constant(size_t i);
  const Content* required_content(size_t i);

  size_t output_count() const noexcept { return node_.outputs.size(); }
  bool wants(size_t j) const noexcept { return j < node_.outputs.size() && node_.outputs[j] != kNoValue; }
  // Only for outputs that are wanted; others are ignored.
  void set_type(size_t j, Type type);
  void set_dtype(size_t j, DType dtype);
  void set_shape(size_t j, DimShape shape);
  void set_output(size_t j, DType dtype, DimShape shape) { set_type(j, Type::tensor(dtype, std::move(shape))); }
  // Ignored above kMaxContentElements.
  void set_content(size_t j, Content content);

  // The facts of a subgraph's outputs, given those of its inputs.
  std::vector<ValueFact> infer_subgraph(const Graph& graph, std::span<const ValueFact> inputs) const {
    return infer_subgraph_(graph, inputs);
  }

  // \throws Error(invalid_model); the place is added where it is caught.
  [[noreturn]] void fail(const std::string& message) const;

 private:
  const Graph& graph_;
  const Node& node_;
  std::vector<ValueFact>& facts_;
  const Demand& demand_;
  const InferSubgraph& infer_subgraph_;
  std::vector<std::unique_ptr<Content>> demanded_;
};

// Lets the only tile of a phase divide a part of its work.
class Division {
 public:
  virtual ~Division() = default;
  // Whether there are threads for it, and work of so many nanoseconds, an estimate, is enough for several.
  virtual bool pays(double nanoseconds) const = 0;
  // Calls body(i) for i < count, at the same time on several threads.
  virtual void run(int64_t count, FunctionRef<void(int64_t)> body) const = 0;
};

// What a tile function sees: pointers to the step's inputs, then outputs (null for absent ones).
struct TileContext {
  void* const* operands = nullptr;
  size_t input_count = 0;
  int64_t tile = 0;
  int worker = 0;
  std::byte* scratch = nullptr;        // this worker's, 64-byte aligned
  std::byte* shared = nullptr;         // of all workers, from one phase to the next, 64-byte aligned
  bool backwards = false;              // the tile before this one is the next: see PlanContext::alternate
  const Division* division = nullptr;  // where the phase has one tile

  template <class T = void>
  const T* input(size_t i) const noexcept {
    return static_cast<const T*>(operands[i]);
  }
  template <class T = void>
  T* output(size_t j) const noexcept {
    return static_cast<T*>(operands[input_count + j]);
  }
};

// A part of a step: tiles that may run at the same time, in any order, on any number of threads, to the same bits.
// Phases of a step run one after another.
struct Phase {
  int64_t tile_count = 0;
  double nanoseconds_per_tile = 0;  // an estimate: it decides whether threads pay, never what is computed
  std::function<void(const TileContext&)> run_tile;
  bool alternates = false;  // see PlanContext::alternate
  // The same by elements, where it is elementwise: see PlanContext::elementwise.
  int64_t elements = 0;
  double nanoseconds_per_element = 0;
  std::function<void(const TileContext&, int64_t begin, int64_t end)> run_elements;
};

// What plan() decided about a step.
struct StepPlan {
  std::vector<Phase> phases;  // empty and no views: Operator::run does it
  struct View {
    size_t output = 0;
    size_t input = 0;
    size_t byte_offset = 0;
  };
  std::vector<View> views;                          // outputs that are a part of an input's storage
  std::vector<std::pair<size_t, size_t>> in_place;  // output, input: may share storage if nobody reads the input later
  struct Placement {
    size_t input = 0;
    size_t output = 0;
    size_t byte_offset = 0;
  };
  std::vector<Placement> placements;  // inputs that may be made right inside an output's storage
  std::vector<size_t> packed_inputs;
  std::vector<size_t> byte_inputs;  // that may lie at any address
  size_t scratch_bytes = 0;         // per worker
  size_t shared_bytes = 0;          // for all workers
  bool flush_denormals = false;
  std::string implementation;  // for people: "winograd 4x4", ...
};

struct PlanOptions {
  Precision precision = Precision::standard;
  bool reference = false;  // plain kernels
  bool keep_denormals = false;
  bool one_thread = false;  // nobody shares the tiles
};

// How a constant is brought into the form that a kernel reads, in independent units.
struct Packing {
  size_t units = 1;
  // Writes units [begin, end), dst being the beginning of the whole. The elements of `source` lie at any address: those
  // from `before(begin)` on, up to `before(end)`; all of them where there is no `before`.
  std::function<void(const std::byte* source, std::byte* dst, size_t begin, size_t end)> pack;
  // Where units read parts of the constant that lie one behind the other: the bytes in front of those of a unit, and
  // for `units` those of the whole constant.
  std::function<size_t(size_t unit)> before = nullptr;
};

// Forms of constants that kernels read, made once and shared. Thread-safe.
class PackedStore {
 public:
  virtual ~PackedStore() = default;

  // `bytes` bytes made by `pack` from the constant; `format` names the form and everything that it depends on. Lives
  // as long as the store.
  virtual const std::byte* get(const ConstantPtr& constant, const std::string& format, size_t bytes,
                               FunctionRef<void(const Tensor&, std::byte*)> pack) = 0;
  // The same where the bytes are not read before finish().
  virtual const std::byte* get_later(const ConstantPtr& constant, const std::string& format, size_t bytes,
                                     Packing packing) = 0;
  // Packs what get_later has promised.
  virtual void finish(ThreadPool& pool) = 0;
};

// One node's view of planning. Everything decided here must depend on types, constants and the instruction set alone.
class PlanContext {
 public:
  struct Operand {
    bool present = false;
    TensorType type;
    ConstantPtr constant;  // null where the elements are made at run time
    Tensor known;          // of an input: elements that shape inference knew, where it is no constant
  };

  PlanContext(std::vector<Operand> inputs, std::vector<Operand> outputs, const PlanOptions& options, PackedStore& store)
      : inputs_(std::move(inputs)), outputs_(std::move(outputs)), options_(options), store_(store) {}

  size_t input_count() const noexcept { return inputs_.size(); }
  bool has_input(size_t i) const noexcept { return i < inputs_.size() && inputs_[i].present; }
  const TensorType& input(size_t i) const noexcept { return inputs_[i].type; }
  size_t output_count() const noexcept { return outputs_.size(); }
  bool wants(size_t j) const noexcept { return j < outputs_.size() && outputs_[j].present; }
  const TensorType& output(size_t j) const noexcept { return outputs_[j].type; }
  bool is_constant(size_t i) const noexcept { return has_input(i) && inputs_[i].constant; }
  // Elements that hold whenever this plan is used: those of constants, those that follow from shapes, and all that the
  // shape rule required. Null for others.
  const Tensor* elements(size_t i) const {
    if (is_constant(i)) return &inputs_[i].constant->tensor();
    return has_input(i) && inputs_[i].known.defined() ? &inputs_[i].known : nullptr;
  }
  const PlanOptions& options() const noexcept { return options_; }

  // Output j is input i's storage from byte_offset on; nothing is computed for it.
  void view(size_t j, size_t i, size_t byte_offset = 0) { plan_.views.push_back({j, i, byte_offset}); }
  // Every tile may read its part of input i and then write the same bytes of output j.
  void in_place(size_t j, size_t i) { plan_.in_place.emplace_back(j, i); }
  // Input i may be made at byte_offset of output j; a tile function finds out by comparing pointers.
  void place(size_t i, size_t j, size_t byte_offset) { plan_.placements.push_back({i, j, byte_offset}); }
  // Scratch memory of each worker, shared by all phases; returns where this part begins.
  size_t scratch(size_t bytes);
  // Memory that all workers share and that keeps what one phase leaves for the next.
  void share(size_t bytes) { plan_.shared_bytes = bytes; }
  void phase(int64_t tile_count, double nanoseconds_per_tile, std::function<void(const TileContext&)> run_tile);
  // The tiles of the last phase run in the opposite order in every other run, so that the caches keep a part of the
  // constants that they read from one run to the next.
  void alternate() { plan_.phases.back().alternates = true; }
  // A phase over [0, count) in ranges of a size that depends on the cost alone.
  void range(int64_t count, double nanoseconds_per_item,
             std::function<void(const TileContext&, int64_t begin, int64_t end)> run_range);
  // The same over `count` elements, where what element i of an output is made of are the elements i of inputs that have
  // `count` elements, and any of the others: several such steps may take a stretch of elements one after the other.
  void elementwise(int64_t count, double nanoseconds_per_element,
                   std::function<void(const TileContext&, int64_t begin, int64_t end)> run_elements);
  // The constant input i in the form that a kernel reads; tile functions must not read the input itself then.
  const std::byte* packed(size_t i, const std::string& format, size_t bytes,
                          FunctionRef<void(const Tensor&, std::byte*)> pack) {
    plan_.packed_inputs.push_back(i);
    return store_.get(inputs_[i].constant, format, bytes, pack);
  }
  // The same, packed on all threads once everything is planned: plan() itself must not read it.
  const std::byte* packed_later(size_t i, const std::string& format, size_t bytes, Packing packing) {
    plan_.packed_inputs.push_back(i);
    return store_.get_later(inputs_[i].constant, format, bytes, std::move(packing));
  }
  // Input i is read by its bytes alone: the elements of a constant need not be aligned, raw data in a file seldom is.
  void reads_bytes(size_t i) { plan_.byte_inputs.push_back(i); }
  // Subnormal numbers may be flushed to zero in this step: for multiply-accumulate and fused float kernels.
  void flush_denormals() { plan_.flush_denormals = !options_.keep_denormals; }
  void implementation(std::string name) { plan_.implementation = std::move(name); }
  // Operator::run does the whole step.
  void run_whole() {}

  StepPlan& result() noexcept { return plan_; }

 private:
  std::vector<Operand> inputs_;
  std::vector<Operand> outputs_;
  const PlanOptions& options_;
  PackedStore& store_;
  StepPlan plan_;
};

// One node's view of its run, for operators without phases.
class RunContext {
 public:
  virtual ~RunContext() = default;

  virtual size_t input_count() const = 0;
  virtual bool has_input(size_t i) const = 0;
  virtual bool wants(size_t j) const = 0;
  // \throws Error(run_failed) where the input is no tensor.
  virtual TensorView input(size_t i) const = 0;
  // Any input as a value; tensors that are not owned yet are copied.
  virtual Value value(size_t i) = 0;
  // The same, moved out where nobody reads it later, so that it can be changed in place.
  virtual Value take(size_t i) = 0;

  // Memory for the elements of output j; to be called once. The type must be the inferred one, where one was.
  virtual void* allocate(size_t j, DType dtype, const Shape& shape) = 0;
  template <class T>
  T* output(size_t j, DType dtype, const Shape& shape) {
    return static_cast<T*>(allocate(j, dtype, shape));
  }
  virtual void set(size_t j, Value value) = 0;

  // Runs a subgraph of the node, which reads its captures by itself, on values for its inputs.
  virtual std::vector<Value> run_subgraph(const Graph& graph, std::vector<Value> inputs) = 0;

  // \throws Error(run_failed); the place is added where it is caught.
  [[noreturn]] static void fail(const std::string& message);
};

}  // namespace onnxrun
