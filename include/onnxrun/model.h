#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "onnxrun/export.h"
#include "onnxrun/model_info.h"

namespace onnxrun {

// How the bytes of weights are held.
enum class WeightMode {
  map,   // views into the mapped file, which must not change while a model lives
  read,  // a private copy of the file
};

// What happens to bytes that the caller hands over.
enum class BytesMode { borrow, copy };

struct LoadOptions {
  WeightMode weights = WeightMode::map;
  // Accept an IR version or opset newer than this library knows, with the newest semantics that it knows.
  bool allow_newer = false;
};

class GraphModel;

// A loaded model: structure checked, weights not copied. Immutable and cheap to copy; any number of threads may use it.
class ONNXRUN_API Model {
 public:
  // \throws Error(io) where the file cannot be read, Error(invalid_model) where it is not a valid model, with the
  // place, Error(limit) where it is nested too deep. Unsupported operators are found by problems() and by Session.
  static Model load(const std::filesystem::path& path, const LoadOptions& options = {});

  // `folder` is where external data is looked for; external data is refused where it is empty. With BytesMode::borrow,
  // `bytes` must outlive the model and every session made from it.
  static Model from_bytes(std::span<const std::byte> bytes, BytesMode mode, const LoadOptions& options = {},
                          const std::filesystem::path& folder = {});

  // In the order of the graph; inputs that are also initializers are not among them.
  const std::vector<ValueInfo>& inputs() const;
  const std::vector<ValueInfo>& outputs() const;

  int64_t ir_version() const;
  const std::vector<OpsetImport>& opsets() const;
  const std::string& producer() const;
  const std::string& graph_name() const;
  const std::vector<std::pair<std::string, std::string>>& metadata() const;

  // What was accepted with a remark: a newer opset under allow_newer, ...
  const std::vector<std::string>& warnings() const;

  // Every node of the main graph and, behind the node that holds them, of its subgraphs.
  std::vector<NodeInfo> nodes() const;

  // Elements of all initializers, and the bytes that they take.
  int64_t parameter_count() const;
  size_t parameter_bytes() const;

  // Everything unsupported or invalid, all of it at once.
  std::vector<ModelProblem> problems() const;

  const std::shared_ptr<const GraphModel>& graph_model() const { return model_; }

 private:
  explicit Model(std::shared_ptr<const GraphModel> model) : model_(std::move(model)) {}

  std::shared_ptr<const GraphModel> model_;
};

}  // namespace onnxrun
