#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

namespace onnxrun {

// The bytes of a file. \throws Error(io) naming it.
std::vector<std::byte> read_file(const std::filesystem::path& path);

// Writes a file under another name in the same folder and moves it into place, so that an interruption leaves what was
// there. \throws Error(io) naming it.
void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes);

}  // namespace onnxrun
