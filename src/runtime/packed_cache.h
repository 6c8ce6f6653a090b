#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "onnxrun/session.h"
#include "runtime/packed_file.h"
#include "runtime/packed_store.h"

namespace onnxrun {

// The file of packed weights in SessionOptions::cache_directory for one model under the options of a session. Whatever
// is wrong with it is a warning.
class PackedCache {
 public:
  // `warnings` must outlive the cache.
  PackedCache(const GraphModel& model, const SessionOptions& options, std::vector<std::string>& warnings);

  // Lets the store use the file, where there is one.
  void open(MemoryPackedStore& store);
  // Writes the file again where it lacked anything that the store holds.
  void save(const MemoryPackedStore& store);

 private:
  PackedFileKey key_;
  std::filesystem::path path_;
  std::vector<std::string>& warnings_;
};

}  // namespace onnxrun
