// Values in the form of ONNX's test data: see onnxrun/io.h.
#include <cstring>

#include "base/mapped_file.h"
#include "graph/proto_tensor.h"
#include "graph/wire_format.h"
#include "onnxrun/error.h"
#include "onnxrun/io.h"

namespace onnxrun {
namespace {

template <class Message>
Message parse(std::span<const std::byte> bytes, WireMessage root, const char* what) {
  Message message;
  bool valid = false;
  try {
    valid = message.ParseFromString(without_raw_data(bytes, root));
  } catch (const Error& error) {
    throw Error(ErrorCode::invalid_input, std::string("not a ") + what + ": " + error.what());
  }
  if (!valid) throw Error(ErrorCode::invalid_input, std::string("not a ") + what);
  return message;
}

// A copy: raw data lies at any address, a tensor's elements must not.
Value read_tensor(const proto::TensorProto& proto, TensorReader& reader) { return reader.read(proto).clone(); }

Value read_sequence(const proto::SequenceProto& proto, TensorReader& reader);

Value read_optional(const proto::OptionalProto& proto, TensorReader& reader) {
  Optional optional;
  const auto hold = [&](Value value) { optional.element = std::make_shared<const Value>(std::move(value)); };
  if (proto.has_tensor_value()) hold(read_tensor(proto.tensor_value(), reader));
  if (proto.has_sparse_tensor_value()) hold(reader.read(proto.sparse_tensor_value()));
  if (proto.has_sequence_value()) hold(read_sequence(proto.sequence_value(), reader));
  if (proto.has_optional_value()) hold(read_optional(proto.optional_value(), reader));
  return optional;
}

Value read_sequence(const proto::SequenceProto& proto, TensorReader& reader) {
  Sequence sequence;
  for (const auto& tensor : proto.tensor_values()) sequence.elements.push_back(read_tensor(tensor, reader));
  for (const auto& sparse : proto.sparse_tensor_values()) sequence.elements.emplace_back(reader.read(sparse));
  for (const auto& inner : proto.sequence_values()) sequence.elements.push_back(read_sequence(inner, reader));
  for (const auto& inner : proto.optional_values()) sequence.elements.push_back(read_optional(inner, reader));
  return sequence;
}

Value parse_owned(std::span<const std::byte> bytes, const std::shared_ptr<const void>& owner, ValueKind kind) {
  TensorReader reader(bytes, owner, {}, WeightMode::map);
  try {
    switch (kind) {
      case ValueKind::tensor:
        return read_tensor(parse<proto::TensorProto>(bytes, WireMessage::tensor, "TensorProto"), reader);
      case ValueKind::sequence:
        return read_sequence(parse<proto::SequenceProto>(bytes, WireMessage::sequence, "SequenceProto"), reader);
      case ValueKind::optional:
        return read_optional(parse<proto::OptionalProto>(bytes, WireMessage::optional, "OptionalProto"), reader);
      default:
        throw Error(ErrorCode::usage, "only tensors, sequences and optionals have a protobuf form");
    }
  } catch (const Error& error) {
    throw Error(error.code() == ErrorCode::invalid_model ? ErrorCode::invalid_input : error.code(), error.what());
  }
}

void write(const Tensor& tensor, proto::TensorProto& proto) {
  for (const int64_t dim : tensor.shape()) proto.add_dims(dim);
  proto.set_data_type(static_cast<int32_t>(tensor.dtype()));
  if (tensor.dtype() == DType::string) {
    for (const std::string& text : tensor.values<std::string>()) proto.add_string_data(text);
  } else {
    proto.set_raw_data(tensor.data(), tensor.bytes());
  }
}

void write(const Sequence& sequence, proto::SequenceProto& proto);

[[noreturn]] void refuse_kind(const Value& value) {
  throw Error(ErrorCode::usage, "a " + value.type_string() + " has no protobuf form here");
}

void write(const Optional& optional, proto::OptionalProto& proto) {
  proto.set_elem_type(0);
  if (!optional.element) return;
  const Value& value = *optional.element;
  if (value.kind() == ValueKind::tensor) {
    proto.set_elem_type(1);
    write(value.tensor(), *proto.mutable_tensor_value());
  } else if (value.kind() == ValueKind::sequence) {
    proto.set_elem_type(3);
    write(value.sequence(), *proto.mutable_sequence_value());
  } else {
    refuse_kind(value);
  }
}

void write(const Sequence& sequence, proto::SequenceProto& proto) {
  proto.set_elem_type(1);
  for (const Value& value : sequence.elements) {
    if (value.kind() == ValueKind::tensor) {
      write(value.tensor(), *proto.add_tensor_values());
    } else if (value.kind() == ValueKind::sequence) {
      proto.set_elem_type(3);
      write(value.sequence(), *proto.add_sequence_values());
    } else if (value.kind() == ValueKind::optional) {
      proto.set_elem_type(5);
      write(value.optional(), *proto.add_optional_values());
    } else {
      refuse_kind(value);
    }
  }
}

}  // namespace

Value read_value_pb(const std::filesystem::path& path, ValueKind kind) {
  const auto file = MappedFile::read(path);
  try {
    return parse_owned(file->bytes(), file, kind);
  } catch (const Error& error) {
    throw Error(error.code(), "'" + path.string() + "': " + error.what());
  }
}

Value parse_value_pb(std::span<const std::byte> bytes, ValueKind kind) {
  const auto copy = std::make_shared<std::vector<std::byte>>(bytes.begin(), bytes.end());
  return parse_owned(*copy, copy, kind);
}

std::vector<std::byte> serialize_value_pb(const Value& value) {
  std::string text;
  const auto serialize = [&](auto message, const auto& content) {
    write(content, message);
    text = message.SerializeAsString();
  };
  if (value.kind() == ValueKind::tensor) {
    serialize(proto::TensorProto(), value.tensor());
  } else if (value.kind() == ValueKind::sequence) {
    serialize(proto::SequenceProto(), value.sequence());
  } else if (value.kind() == ValueKind::optional) {
    serialize(proto::OptionalProto(), value.optional());
  } else {
    refuse_kind(value);
  }
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

}  // namespace onnxrun
