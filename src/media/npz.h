#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "onnxrun/tensor.h"

namespace onnxrun {

// The arrays of a .npz file (stored or deflated), in its order, by name without ".npy".
// \throws Error(io) where the file cannot be read, Error(invalid_input) where it is not a .npz; both name the file.
std::vector<std::pair<std::string, Tensor>> read_npz(const std::filesystem::path& path);

// Writes the arrays as numpy.savez does, under another name and moved into place.
// \throws Error(io) where the file cannot be written, Error(invalid_input) where numpy lacks a type, naming the array.
void write_npz(const std::filesystem::path& path, std::span<const std::pair<std::string, TensorView>> arrays);

}  // namespace onnxrun
