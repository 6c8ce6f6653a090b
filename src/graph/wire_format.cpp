#include "graph/wire_format.h"

#include <google/protobuf/io/coded_stream.h>

#include <climits>
#include <cstring>

#include "onnxrun/error.h"

namespace onnxrun {
namespace {

using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;

constexpr int kRawDataField = 9;

// The message type of a field, by the field numbers of third_party/onnx_proto/onnx.proto.
WireMessage field_message(WireMessage parent, int field) {
  using enum WireMessage;
  switch (parent) {
    case model:
      return field == 7 ? graph : field == 20 ? training : field == 25 ? function : other;
    case training:
      return field == 1 || field == 2 ? graph : other;
    case graph:
      return field == 1 ? node : field == 5 ? tensor : field == 15 ? sparse_tensor : other;
    case function:
      return field == 7 ? node : field == 11 ? attribute : other;
    case node:
      return field == 5 ? attribute : other;
    case attribute:
      return field == 5 || field == 10    ? tensor
             : field == 6 || field == 11  ? graph
             : field == 22 || field == 23 ? sparse_tensor
                                          : other;
    case sparse_tensor:
      return field == 1 || field == 2 ? tensor : other;
    case sequence:
      return field == 3   ? tensor
             : field == 4 ? sparse_tensor
             : field == 5 ? sequence
             : field == 6 ? map
             : field == 7 ? optional
                          : other;
    case map:
      return field == 5 ? sequence : other;
    case optional:
      return field == 2   ? other
             : field == 3 ? tensor
             : field == 4 ? sparse_tensor
             : field == 5 ? sequence
             : field == 6 ? map
             : field == 7 ? optional
                          : other;
    case tensor:
    case other:
      break;
  }
  return other;
}

class Rewriter {
 public:
  explicit Rewriter(std::span<const std::byte> bytes)
      : data_(reinterpret_cast<const uint8_t*>(bytes.data())), input_(data_, static_cast<int>(bytes.size())) {}

  std::string message(WireMessage kind, int depth) {
    if (depth > kMaxGraphDepth) {
      throw Error(ErrorCode::limit, "messages are nested more than " + std::to_string(kMaxGraphDepth) + " graphs deep");
    }
    std::string out;
    while (const uint32_t tag = next_tag()) field(kind, tag, depth, out);
    return out;
  }

 private:
  uint32_t next_tag() {
    const uint32_t tag = input_.ReadTag();
    if (tag == 0 && !input_.ConsumedEntireMessage()) fail();
    return tag;
  }

  void field(WireMessage kind, uint32_t tag, int depth, std::string& out) {
    const int begin = input_.CurrentPosition();
    switch (tag & 7) {
      case 0: {  // a varint
        uint64_t value = 0;
        if (!input_.ReadVarint64(&value)) fail();
        break;
      }
      case 1:  // 64 bits
        skip(8);
        break;
      case 5:  // 32 bits
        skip(4);
        break;
      case 2:
        length_delimited(kind, tag, depth, out);
        return;
      default:
        fail();
    }
    append_varint(tag, out);
    out.append(reinterpret_cast<const char*>(data_) + begin, static_cast<size_t>(input_.CurrentPosition() - begin));
  }

  void length_delimited(WireMessage kind, uint32_t tag, int depth, std::string& out) {
    uint32_t length = 0;
    if (!input_.ReadVarint32(&length) || length > INT_MAX) fail();
    const int begin = input_.CurrentPosition();
    const int field_number = static_cast<int>(tag >> 3);
    const WireMessage child = field_message(kind, field_number);
    std::string content;
    if (child != WireMessage::other) {
      const auto limit = input_.PushLimit(static_cast<int>(length));
      content = message(child, depth + (child == WireMessage::graph || child == WireMessage::sequence ||
                                        child == WireMessage::optional));
      if (input_.CurrentPosition() - begin != static_cast<int>(length)) fail();
      input_.PopLimit(limit);
    } else {
      skip(static_cast<int>(length));
      if (kind == WireMessage::tensor && field_number == kRawDataField) {
        const RawDataLocator locator{static_cast<uint64_t>(begin), length};
        content.assign(reinterpret_cast<const char*>(&locator), sizeof(locator));
      } else {
        content.assign(reinterpret_cast<const char*>(data_) + begin, length);
      }
    }
    append_varint(tag, out);
    append_varint(static_cast<uint32_t>(content.size()), out);
    out += content;
  }

  void skip(int count) {
    if (!input_.Skip(count)) fail();
  }

  static void append_varint(uint32_t value, std::string& out) {
    uint8_t buffer[5];
    const uint8_t* end = CodedOutputStream::WriteVarint32ToArray(value, buffer);
    out.append(reinterpret_cast<const char*>(buffer), static_cast<size_t>(end - buffer));
  }

  [[noreturn]] void fail() {
    throw Error(ErrorCode::invalid_model,
                "broken or cut off: no valid encoding at byte " + std::to_string(input_.CurrentPosition()));
  }

  const uint8_t* data_;
  CodedInputStream input_;
};

}  // namespace

std::string without_raw_data(std::span<const std::byte> bytes, WireMessage root) {
  if (bytes.size() > INT_MAX) {
    throw Error(ErrorCode::limit,
                "protobuf messages end at 2 GiB, this one has " + std::to_string(bytes.size()) + " bytes");
  }
  return Rewriter(bytes).message(root, 0);
}

}  // namespace onnxrun
