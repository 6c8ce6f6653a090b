#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

#include "onnxrun/export.h"
#include "onnxrun/value.h"

namespace onnxrun {

// Reads a value in the form of ONNX's test data: a serialized TensorProto, SequenceProto or OptionalProto, as `kind`
// says (https://onnx.ai/onnx/repo-docs/OnnxBackendTest.html).
// \throws Error(io) where the file cannot be read, Error(invalid_input) where it is not such a message.
ONNXRUN_API Value read_value_pb(const std::filesystem::path& path, ValueKind kind = ValueKind::tensor);
ONNXRUN_API Value parse_value_pb(std::span<const std::byte> bytes, ValueKind kind = ValueKind::tensor);

// The serialized TensorProto, SequenceProto or OptionalProto of `value`.
// \throws Error(usage) for a map or a sparse tensor.
ONNXRUN_API std::vector<std::byte> serialize_value_pb(const Value& value);

}  // namespace onnxrun
