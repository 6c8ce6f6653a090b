#pragma once

#include <span>
#include <string>
#include <vector>

#include "onnxrun/model.h"
#include "onnxrun/value.h"

namespace onnxrun::cli {

// Writes the outputs to one destination: "out.npz" (one array an output), "dir/" (one .npy an output), "name=f.npy",
// "name=f.pb", or "f.npy" and "f.pb" where there is one output. Files are written under another name and moved into
// place.
// \throws Error(usage) for another form or an unknown name, Error(io), Error(invalid_input) where numpy lacks the type.
void write_outputs(const std::string& destination, std::span<const ValueInfo> infos, std::span<const Value> values);

// \throws Error(usage) where `destination` has none of the forms of write_outputs or names no output.
void check_destination(const std::string& destination, std::span<const ValueInfo> infos);

}  // namespace onnxrun::cli
