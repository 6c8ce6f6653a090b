#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

#include "onnxrun/tensor.h"

namespace onnxrun {

// The .npy format, versions 1 to 3 (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html), both byte
// orders, C and Fortran order. Fixed-width strings ('S', 'U') become string tensors, UTF-8 for 'U'. Structured types,
// pickled objects, dates and long doubles are refused. Bytes behind the array are ignored, as numpy does.

// \throws Error(invalid_input) where `bytes` is not such an array.
Tensor parse_npy(std::span<const std::byte> bytes);

// \throws Error(io) where the file cannot be read, Error(invalid_input) as parse_npy; both name the file.
Tensor read_npy(const std::filesystem::path& path);

// `tensor` as .npy in C order and this machine's byte order; strings, which must be UTF-8, become 'U'.
// \throws Error(invalid_input) where numpy has no such type, or a string that it would change.
std::vector<std::byte> serialize_npy(const TensorView& tensor);

}  // namespace onnxrun
