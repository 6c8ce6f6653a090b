#include "graph/proto_tensor.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/checked.h"
#include "base/mapped_file.h"
#include "graph/wire_format.h"
#include "onnxrun/error.h"

namespace onnxrun {
namespace {

[[noreturn]] void refuse(const std::string& name, const std::string& why) {
  throw Error(ErrorCode::invalid_model, "tensor '" + name + "' " + why);
}

Shape read_shape(const std::string& name, const google::protobuf::RepeatedField<int64_t>& dims, DType dtype) {
  Shape shape(std::span<const int64_t>(dims.data(), static_cast<size_t>(dims.size())));
  if (std::any_of(shape.begin(), shape.end(), [](int64_t dim) { return dim < 0; })) {
    refuse(name, "has a negative dimension: " + shape.to_string());
  }
  try {
    shape.checked_bytes(dtype);
  } catch (const Error& error) {
    throw Error(error.code(), "tensor '" + name + "': " + error.what());
  }
  return shape;
}

// Elements from a typed field whose entries are as wide as an element, or wider (integers cut off).
template <class Stored, class Field>
void fill(const std::string& name, const Field& field, size_t count, Tensor& tensor) {
  if (static_cast<size_t>(field.size()) != count) {
    refuse(name, "has " + std::to_string(field.size()) + " elements in its typed field where its shape " +
                     tensor.shape().to_string() + " needs " + std::to_string(count));
  }
  auto* elements = static_cast<Stored*>(tensor.mutable_data());
  for (size_t i = 0; i < count; ++i) elements[i] = static_cast<Stored>(field[static_cast<int>(i)]);
}

void fill_typed(const proto::TensorProto& proto, Tensor& tensor) {
  const std::string& name = proto.name();
  const auto count = static_cast<size_t>(tensor.elements());
  const size_t bits = static_cast<size_t>(bit_size(tensor.dtype()));
  switch (tensor.dtype()) {
    case DType::float32:
    case DType::complex64:
      return fill<float>(name, proto.float_data(), count * (bits / 32), tensor);
    case DType::float64:
    case DType::complex128:
      return fill<double>(name, proto.double_data(), count * (bits / 64), tensor);
    case DType::int64:
      return fill<int64_t>(name, proto.int64_data(), count, tensor);
    case DType::uint64:
      return fill<uint64_t>(name, proto.uint64_data(), count, tensor);
    case DType::uint32:
      return fill<uint32_t>(name, proto.uint64_data(), count, tensor);
    case DType::string:
      return fill<std::string>(name, proto.string_data(), count, tensor);
    case DType::int32:
      return fill<int32_t>(name, proto.int32_data(), count, tensor);
    case DType::int16:
    case DType::uint16:
    case DType::float16:
    case DType::bfloat16:
      return fill<uint16_t>(name, proto.int32_data(), count, tensor);
    default:  // one byte an entry, that of several elements for packed types
      return fill<uint8_t>(name, proto.int32_data(), byte_size(tensor.dtype(), count), tensor);
  }
}

// The value of an external_data entry that must be a non-negative integer.
size_t parse_size(const std::string& name, const std::string& key, const std::string& text) {
  size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    refuse(name, "has external data with the " + key + " '" + text + "', which is no size");
  }
  return value;
}

}  // namespace

TensorReader::TensorReader(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                           std::filesystem::path folder, WeightMode mode)
    : bytes_(bytes), owner_(std::move(owner)), folder_(std::move(folder)), mode_(mode) {}

Tensor TensorReader::read(const proto::TensorProto& proto) {
  const std::string& name = proto.name();
  const auto dtype = dtype_from_number(proto.data_type());
  if (!dtype) refuse(name, "has the unknown element type " + std::to_string(proto.data_type()));
  const Shape shape = read_shape(name, proto.dims(), *dtype);
  if (proto.has_segment()) refuse(name, "is split into segments, which no version of the format allows");
  if (proto.data_location() == 1) return external(proto, *dtype, shape);
  if (!proto.has_raw_data()) {
    Tensor tensor(*dtype, shape);
    fill_typed(proto, tensor);
    return tensor;
  }
  if (*dtype == DType::string) refuse(name, "holds strings in raw_data, which the format does not allow");
  RawDataLocator locator;
  std::memcpy(&locator, proto.raw_data().data(), sizeof(locator));
  const size_t bytes = shape.checked_bytes(*dtype);
  if (locator.length != bytes) {
    refuse(name, "has " + std::to_string(locator.length) + " bytes of raw_data where its shape " + shape.to_string() +
                     " of " + std::string(dtype_name(*dtype)) + " needs " + std::to_string(bytes));
  }
  auto* data = const_cast<std::byte*>(bytes_.data() + locator.offset);
  return Tensor(*dtype, shape, data, owner_);
}

std::filesystem::path TensorReader::resolve(const std::string& location) const {
  namespace fs = std::filesystem;
  const auto outside = [&] {
    throw Error(ErrorCode::invalid_model, "external data '" + location + "' is outside the model's folder");
  };
  if (folder_.empty()) {
    throw Error(ErrorCode::invalid_model, "external data '" + location + "' needs the model's folder");
  }
  const fs::path relative(location);
  if (relative.is_absolute()) outside();
  std::error_code error;
  const fs::path folder = fs::canonical(folder_, error);
  fs::path file = fs::weakly_canonical(folder / relative, error);
  const fs::path inside = file.lexically_relative(folder);
  if (error || inside.empty() || *inside.begin() == "..") outside();
  return file;
}

Tensor TensorReader::external(const proto::TensorProto& proto, DType dtype, const Shape& shape) {
  const std::string& name = proto.name();
  if (dtype == DType::string) refuse(name, "holds strings in external data, which the format does not allow");
  const size_t bytes = shape.checked_bytes(dtype);
  std::string location;
  size_t offset = 0;
  size_t length = bytes;
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset") offset = parse_size(name, "offset", entry.value());
    if (entry.key() == "length") length = parse_size(name, "length", entry.value());
  }
  if (length != bytes) {
    refuse(name, "has " + std::to_string(length) + " bytes of external data where its shape " + shape.to_string() +
                     " needs " + std::to_string(bytes));
  }
  try {
    const std::filesystem::path path = resolve(location);
    auto& file = files_[path];
    if (!file) file = mode_ == WeightMode::map ? MappedFile::open(path) : MappedFile::read(path);
    size_t end = 0;
    if (!checked_add(offset, length, end) || end > file->bytes().size()) {
      throw Error(ErrorCode::invalid_model,
                  "external data '" + location + "' has " + std::to_string(file->bytes().size()) + " bytes, " +
                      std::to_string(offset) + " + " + std::to_string(length) + " are asked for");
    }
    return Tensor(dtype, shape, const_cast<std::byte*>(file->bytes().data()) + offset, file);
  } catch (const Error& error) {
    const ErrorCode code = error.code() == ErrorCode::io ? ErrorCode::invalid_model : error.code();
    throw Error(code, "tensor '" + name + "': " + error.what());
  }
}

SparseTensor TensorReader::read(const proto::SparseTensorProto& proto) {
  SparseTensor sparse;
  sparse.values = read(proto.values());
  sparse.shape = read_shape(proto.values().name(), proto.dims(), sparse.values.dtype());
  sparse.indices = proto.has_indices() ? read(proto.indices()) : Tensor(DType::int64, {0});
  return sparse;
}

Tensor densify(const SparseTensor& sparse, const std::string& name) {
  const auto refuse_index = [&] { refuse(name, "has an index out of range"); };
  const auto count = static_cast<size_t>(sparse.values.elements());
  const size_t rank = sparse.shape.rank();
  const bool flat = sparse.indices.shape().rank() <= 1;
  if (sparse.indices.dtype() != DType::int64 ||
      static_cast<size_t>(sparse.indices.elements()) != (flat ? count : count * rank)) {
    refuse(name, "has indices that do not fit its values");
  }
  Tensor dense(sparse.values.dtype(), sparse.shape);
  const size_t width = static_cast<size_t>(bit_size(dense.dtype())) / 8;
  if (width == 0 || dense.dtype() == DType::string) {
    refuse(name, "is sparse, which " + std::string(dtype_name(dense.dtype())) + " cannot be");
  }
  std::memset(dense.mutable_data(), 0, dense.bytes());
  const auto indices = sparse.indices.values<int64_t>();
  for (size_t i = 0; i < count; ++i) {
    int64_t position = 0;
    if (flat) {
      position = indices[i];
    } else {
      for (size_t axis = 0; axis < rank; ++axis) {
        const int64_t index = indices[i * rank + axis];
        if (index < 0 || index >= sparse.shape[axis]) refuse_index();
        position = position * sparse.shape[axis] + index;
      }
    }
    if (position < 0 || position >= dense.elements()) refuse_index();
    std::memcpy(static_cast<std::byte*>(dense.mutable_data()) + static_cast<size_t>(position) * width,
                static_cast<const std::byte*>(sparse.values.data()) + i * width, width);
  }
  return dense;
}

ValueType read_type(const proto::TypeProto& proto) {
  ValueType type;
  const auto read_dtype = [](int32_t number) {
    const auto dtype = dtype_from_number(number);
    if (number != 0 && !dtype) throw Error(ErrorCode::invalid_model, "unknown element type " + std::to_string(number));
    return dtype.value_or(DType::undefined);
  };
  const auto read_tensor = [&](const auto& tensor) {
    type.dtype = read_dtype(tensor.elem_type());
    type.has_rank = tensor.has_shape();
    for (const auto& dim : tensor.shape().dim()) {
      DeclaredDim declared;
      if (dim.has_dim_value()) {
        // Some exporters write -1 or 0 symbols for "any".
        declared.value = dim.dim_value() >= 0 ? dim.dim_value() : -1;
      } else {
        declared.name = dim.dim_param();
      }
      type.dims.push_back(std::move(declared));
    }
  };
  const auto element = [](const proto::TypeProto& inner) {
    return std::make_shared<const ValueType>(read_type(inner));
  };
  switch (proto.value_case()) {
    case proto::TypeProto::kTensorType:
      type.kind = ValueKind::tensor;
      read_tensor(proto.tensor_type());
      break;
    case proto::TypeProto::kSparseTensorType:
      type.kind = ValueKind::sparse_tensor;
      read_tensor(proto.sparse_tensor_type());
      break;
    case proto::TypeProto::kSequenceType:
      type.kind = ValueKind::sequence;
      type.element = element(proto.sequence_type().elem_type());
      break;
    case proto::TypeProto::kOptionalType:
      type.kind = ValueKind::optional;
      type.element = element(proto.optional_type().elem_type());
      break;
    case proto::TypeProto::kMapType:
      type.kind = ValueKind::map;
      type.dtype = read_dtype(proto.map_type().key_type());
      type.element = element(proto.map_type().value_type());
      break;
    default:
      type.kind = ValueKind::none;
      break;
  }
  return type;
}

}  // namespace onnxrun
