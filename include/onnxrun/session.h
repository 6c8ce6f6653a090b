#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "onnxrun/export.h"
#include "onnxrun/model.h"
#include "onnxrun/value.h"

namespace onnxrun {

struct SessionOptions {
  // Threads that one run may use; 0: as many as the process may use (affinity and cgroup quota). Clamped to that.
  int threads = 0;
  // 0: the graph as it stands. 1: folds constants and removes dead nodes. 2: also fuses and assigns layouts.
  // 3: also what costs load time.
  int opt_level = 2;
  Precision precision = Precision::standard;
  std::vector<std::string> disabled_passes;
  // Check the graph after every pass.
  bool verify_passes = false;
  // Keep subnormal numbers in multiply-accumulate steps too.
  bool keep_denormals = false;
  // Bytes of anonymous memory and outputs that this library may hold in the process; 0: leaves the limit as it is, at
  // first the cgroup's or the machine's.
  size_t memory_limit = 0;
  // Values for symbolic dimensions ("batch" or "input.batch"), fixed at load.
  std::map<std::string, int64_t> dims;
  // Intermediate values that become additional outputs, behind the model's own.
  std::vector<std::string> extra_outputs;
  // Random operators without the attribute `seed` draw the same numbers in every run and every session of this seed;
  // those with it keep theirs. Without, each run draws anew.
  std::optional<uint64_t> seed;
  // A folder where files of packed weights are kept, so that later sessions of this model, in any process, map them
  // instead of packing again; made where there is none. Empty: none. A file belongs to one model under these options,
  // one instruction set and one build of the library; one that does not fit or is damaged is replaced, with a warning
  // in SessionInfo. It is used only where it is the user's own and closed to others, and must not be changed in place
  // while it is mapped. A model's file is known by inode, size, times and samples of its weights, bytes handed over by
  // all of them.
  std::filesystem::path cache_directory;
  // Lets `threads` exceed the processors, to test determinism.
  bool oversubscribe = false;
};

// A node of the graph that is executed, after all passes.
struct StepInfo {
  std::string node;  // "Conv 'conv1'"
  std::string implementation;
  std::vector<std::string> outputs;  // "name float32[1,64,112,112]"
  int64_t tiles = 0;
  double multiply_adds = 0;  // of products and convolutions, as the operator is defined
};

// What a step of a run took, from the beginning of the run on; a subgraph's steps count to the node that has it.
struct StepTime {
  StepInfo step;
  std::chrono::nanoseconds begin{0};
  std::chrono::nanoseconds duration{0};
};

struct RunOptions {
  // Stops the run between two steps once it has taken so long; zero: never.
  std::chrono::nanoseconds timeout{0};
  // Called behind every step, on the calling thread.
  std::function<void(const StepTime&)> on_step;
};

struct SessionInfo {
  int threads = 0;
  std::string isa;
  double load_milliseconds = 0;
  size_t packed_bytes = 0;    // weights in the form that kernels read
  size_t cached_bytes = 0;    // of these, mapped from the cache's file
  size_t constant_bytes = 0;  // folded constants that are kept
  size_t arena_bytes = 0;  // of the newest plan; before the first run of a model with symbolic shapes, of a likely one
  std::vector<PassReport> passes;
  // What went wrong without harm to the results: a cache that cannot be used or written.
  std::vector<std::string> warnings;
};

// A compiled model. Immutable: any number of threads may call run at the same time.
class ONNXRUN_API Session {
 public:
  // \throws Error(unsupported_operator) naming every unsupported node at once; Error(invalid_model), Error(limit).
  explicit Session(const Model& model, const SessionOptions& options = {});
  explicit Session(const std::filesystem::path& path, const SessionOptions& options = {})
      : Session(Model::load(path), options) {}
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  // What run takes and gives, in this order.
  const std::vector<ValueInfo>& inputs() const;
  const std::vector<ValueInfo>& outputs() const;

  // Runs the model on one value per input. The values are read, never changed; an output may share elements with an
  // input that it equals.
  // \throws Error(invalid_input) where count, type or shape do not fit; Error(run_failed) with the node's name.
  std::vector<Value> run(std::span<const Value> inputs, const RunOptions& options = {}) const;
  std::vector<Value> run(const std::vector<std::pair<std::string, Value>>& inputs,
                         const RunOptions& options = {}) const;

  SessionInfo info() const;
  // The steps of the newest plan; before the first run of a model with symbolic shapes, of likely ones or none.
  std::vector<StepInfo> steps() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace onnxrun
