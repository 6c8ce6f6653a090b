#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

#include "graph/graph.h"
#include "onnxrun/model.h"

namespace onnxrun {

// Reads a model: structure checked, functions inlined, nodes sorted but not bound to operators. Constants borrow from
// `bytes`, which `owner` keeps alive. `folder` is where external data is looked for; empty: refused.
// \throws Error(invalid_model) with the place, Error(limit).
std::shared_ptr<GraphModel> load_model(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                                       const std::filesystem::path& folder, const LoadOptions& options);

}  // namespace onnxrun
