#include "onnxrun/model.h"

#include <algorithm>

#include "base/mapped_file.h"
#include "graph/graph.h"
#include "graph/inference.h"
#include "graph/loader.h"
#include "onnxrun/error.h"
#include "runtime/operators.h"

namespace onnxrun {
namespace {

void list_nodes(const Graph& graph, const std::string& path, std::vector<NodeInfo>& list) {
  const auto name_of = [&](ValueId id) { return id == kNoValue ? std::string() : graph.value(id).name; };
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    const OperatorEntry* entry = operators().find(node.domain, node.op_type, node.opset);
    NodeInfo info{node.name, node.domain, node.op_type, entry ? entry->since : 0, path, {}, {}};
    std::transform(node.inputs.begin(), node.inputs.end(), std::back_inserter(info.inputs), name_of);
    std::transform(node.outputs.begin(), node.outputs.end(), std::back_inserter(info.outputs), name_of);
    list.push_back(std::move(info));
    for (const Attribute& attribute : node.attributes) {
      if (const auto* subgraph = std::get_if<std::shared_ptr<Graph>>(&attribute.value)) {
        list_nodes(**subgraph, (path.empty() ? "" : path + " / ") + node.label + " " + attribute.name, list);
      }
    }
  }
}

template <class Visit>
void for_each_constant(const Graph& graph, const Visit& visit) {
  for (size_t id = 0; id < graph.value_count(); ++id) {
    const GraphValue& value = graph.value(static_cast<ValueId>(id));
    if (value.constant && value.constant->source() == Constant::Source::file) visit(value.constant->tensor());
  }
}

}  // namespace

Model Model::load(const std::filesystem::path& path, const LoadOptions& options) {
  auto file = options.weights == WeightMode::map ? MappedFile::open(path) : MappedFile::read(path);
  const std::span<const std::byte> bytes = file->bytes();
  std::filesystem::path folder = path.parent_path();
  if (folder.empty()) folder = ".";
  try {
    return Model(load_model(bytes, std::move(file), folder, options));
  } catch (const Error& error) {
    throw Error(error.code(), "'" + path.string() + "': " + error.what());
  }
}

Model Model::from_bytes(std::span<const std::byte> bytes, BytesMode mode, const LoadOptions& options,
                        const std::filesystem::path& folder) {
  std::shared_ptr<std::vector<std::byte>> copy;
  if (mode == BytesMode::copy) {
    copy = std::make_shared<std::vector<std::byte>>(bytes.begin(), bytes.end());
    bytes = *copy;
  }
  return Model(load_model(bytes, std::move(copy), folder, options));
}

const std::vector<ValueInfo>& Model::inputs() const { return model_->inputs; }
const std::vector<ValueInfo>& Model::outputs() const { return model_->outputs; }
int64_t Model::ir_version() const { return model_->ir_version; }
const std::vector<OpsetImport>& Model::opsets() const { return model_->opsets; }
const std::string& Model::producer() const { return model_->producer; }
const std::string& Model::graph_name() const { return model_->graph.name; }
const std::vector<std::pair<std::string, std::string>>& Model::metadata() const { return model_->metadata; }
const std::vector<std::string>& Model::warnings() const { return model_->warnings; }

std::vector<NodeInfo> Model::nodes() const {
  std::vector<NodeInfo> list;
  list_nodes(model_->graph, "", list);
  return list;
}

int64_t Model::parameter_count() const {
  int64_t count = 0;
  for_each_constant(model_->graph, [&](const Tensor& tensor) { count += tensor.elements(); });
  return count;
}

size_t Model::parameter_bytes() const {
  size_t bytes = 0;
  for_each_constant(model_->graph, [&](const Tensor& tensor) { bytes += tensor.bytes(); });
  return bytes;
}

std::vector<ModelProblem> Model::problems() const {
  std::vector<ModelProblem> problems;
  const std::shared_ptr<Graph> graph = clone(model_->graph);
  bind_operators(operators(), *graph, problems);
  if (!problems.empty()) return problems;
  try {
    std::vector<std::string> warnings;
    infer_graph(*graph, {}, warnings);
  } catch (const Error& error) {
    problems.push_back({error.code() == ErrorCode::unsupported_operator, error.what(), "", "", 0});
  }
  return problems;
}

}  // namespace onnxrun
