#include "runtime/packed_cache.h"

#include <memory>

#include "base/build_id.h"
#include "base/cpu_features.h"
#include "onnxrun/error.h"

namespace onnxrun {
namespace {

// What decides, beside the model and the instruction set, which constants are packed and how.
std::string describe(const SessionOptions& options) {
  std::string text = std::to_string(options.opt_level) + " " + std::to_string(static_cast<int>(options.precision)) +
                     (options.keep_denormals ? " denormals" : "");
  for (const std::string& pass : options.disabled_passes) text += "\npass " + pass;
  for (const auto& [name, value] : options.dims) text += "\ndim " + name + "=" + std::to_string(value);
  for (const std::string& output : options.extra_outputs) text += "\noutput " + output;
  return text;
}

// What the graph computes, by names. That is enough to choose a file: each entry in it is known by its own constant.
Hash128 hash_graph(const Graph& graph) {
  Hash128 hash = hash_text(graph.name);
  for (const NodeId id : graph.order()) {
    const Node& node = graph.node(id);
    hash = hash_text(node.domain + "\n" + node.op_type + "\n" + std::to_string(node.opset) + "\n" + node.name, hash);
    for (const ValueId value : node.inputs) {
      if (value != kNoValue) hash = hash_text(graph.value(value).name, hash);
    }
    for (const ValueId value : node.outputs) {
      if (value != kNoValue) hash = hash_text(graph.value(value).name, hash);
    }
  }
  return hash;
}

}  // namespace

PackedCache::PackedCache(const GraphModel& model, const SessionOptions& options, std::vector<std::string>& warnings)
    : key_{hash_text(describe(options), hash_graph(model.graph)), std::string(isa_name(selected_isa())),
           ONNXRUN_VERSION " " + build_id()},
      path_(options.cache_directory / key_.file_name()),
      warnings_(warnings) {}

void PackedCache::open(MemoryPackedStore& store) {
  std::shared_ptr<const PackedFile> file;
  try {
    file = PackedFile::open(path_, key_);
  } catch (const Error& failure) {
    warnings_.emplace_back(std::string(failure.what()) + "; packing the weights again");
  }
  store.use_cache(std::move(file));
}

void PackedCache::save(const MemoryPackedStore& store) {
  if (!store.lacks_entries()) return;
  try {
    PackedFile::write(path_, key_, store.entries());
  } catch (const Error& failure) {
    warnings_.emplace_back(failure.what());
  }
}

}  // namespace onnxrun
