#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace onnxrun {

// The messages of the format that can hold tensors.
enum class WireMessage : uint8_t {
  other,
  model,
  graph,
  node,
  attribute,
  function,
  training,
  tensor,
  sparse_tensor,
  sequence,
  map,
  optional,
};

// What takes the place of a TensorProto's raw_data: where it lies in the file.
struct RawDataLocator {
  uint64_t offset = 0;
  uint64_t length = 0;
};

// Subgraphs nested deeper are refused.
inline constexpr int kMaxGraphDepth = 64;

// The serialized message `root` again, with every TensorProto.raw_data replaced by the 16 bytes of a RawDataLocator, so
// that protobuf parses all but the weights (https://protobuf.dev/programming-guides/encoding/).
// \throws Error(invalid_model) with the byte offset where the encoding is broken; Error(limit) where it nests too deep.
std::string without_raw_data(std::span<const std::byte> bytes, WireMessage root);

}  // namespace onnxrun
