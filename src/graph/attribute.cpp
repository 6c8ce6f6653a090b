#include "graph/attribute.h"

#include <algorithm>
#include <array>

#include "onnxrun/error.h"

namespace onnxrun {
namespace {

constexpr std::array<std::string_view, 16> kKinds = {
    "nothing",           "an int",          "a float",           "a string",    "a list of ints",   "a list of floats",
    "a list of strings", "a tensor",        "a list of tensors", "a graph",     "a list of graphs", "a type",
    "a list of types",   "a sparse tensor", "fused steps",       "a reference",
};
static_assert(std::variant_size_v<AttributeValue> == kKinds.size());

[[noreturn]] void refuse(std::string_view name, const std::string& what) {
  throw Error(ErrorCode::invalid_model, "attribute '" + std::string(name) + "' " + what);
}

}  // namespace

std::string_view attribute_kind(const AttributeValue& value) { return kKinds[value.index()]; }

const AttributeValue* AttributeReader::find(std::string_view name) {
  for (size_t i = 0; i < attributes_.size(); ++i) {
    if (attributes_[i].name == name) {
      read_[i] = true;
      return &attributes_[i].value;
    }
  }
  return nullptr;
}

template <class T>
const T* AttributeReader::get(std::string_view name) {
  const AttributeValue* value = find(name);
  if (!value) return nullptr;
  const T* typed = std::get_if<T>(value);
  if (!typed) {
    refuse(name, "must be " + std::string(attribute_kind(AttributeValue(std::in_place_type<T>))) + ", it is " +
                     std::string(attribute_kind(*value)));
  }
  return typed;
}

int64_t AttributeReader::integer(std::string_view name, int64_t otherwise) {
  const auto* value = get<int64_t>(name);
  return value ? *value : otherwise;
}

int64_t AttributeReader::required_integer(std::string_view name) {
  const auto* value = get<int64_t>(name);
  if (!value) refuse(name, "is required and absent");
  return *value;
}

bool AttributeReader::flag(std::string_view name, bool otherwise) { return integer(name, otherwise ? 1 : 0) != 0; }

float AttributeReader::number(std::string_view name, float otherwise) {
  const auto* value = get<float>(name);
  return value ? *value : otherwise;
}

std::string AttributeReader::string(std::string_view name, std::string_view otherwise) {
  const auto* value = get<std::string>(name);
  return value ? *value : std::string(otherwise);
}

std::vector<int64_t> AttributeReader::integers(std::string_view name) {
  return optional_integers(name).value_or(std::vector<int64_t>{});
}

std::optional<std::vector<int64_t>> AttributeReader::optional_integers(std::string_view name) {
  const auto* value = get<std::vector<int64_t>>(name);
  if (!value) return std::nullopt;
  return *value;
}

std::vector<float> AttributeReader::numbers(std::string_view name) {
  const auto* value = get<std::vector<float>>(name);
  return value ? *value : std::vector<float>{};
}

std::vector<std::string> AttributeReader::strings(std::string_view name) {
  const auto* value = get<std::vector<std::string>>(name);
  return value ? *value : std::vector<std::string>{};
}

std::optional<Tensor> AttributeReader::tensor(std::string_view name) {
  const auto* value = get<Tensor>(name);
  if (!value) return std::nullopt;
  return *value;
}

std::shared_ptr<Graph> AttributeReader::required_graph(std::string_view name) {
  const auto* value = get<std::shared_ptr<Graph>>(name);
  if (!value) refuse(name, "is required and absent");
  return *value;
}

std::optional<ValueType> AttributeReader::type(std::string_view name) {
  const auto* value = get<ValueType>(name);
  if (!value) return std::nullopt;
  return *value;
}

DType AttributeReader::dtype(std::string_view name, DType otherwise) {
  const auto* value = get<int64_t>(name);
  if (!value) return otherwise;
  const auto dtype = dtype_from_number(*value);
  if (!dtype) refuse(name, "is " + std::to_string(*value) + ", which is no element type");
  return *dtype;
}

std::vector<FusedStep> AttributeReader::fused_steps(std::string_view name) {
  const auto* value = get<std::vector<FusedStep>>(name);
  return value ? *value : std::vector<FusedStep>{};
}

std::string AttributeReader::one_of(std::string_view name, std::initializer_list<std::string_view> allowed) {
  std::string value = string(name, *allowed.begin());
  if (std::find(allowed.begin(), allowed.end(), value) == allowed.end()) refuse(name, "cannot be '" + value + "'");
  return value;
}

void AttributeReader::finish() const {
  for (size_t i = 0; i < attributes_.size(); ++i) {
    if (!read_[i]) refuse(attributes_[i].name, "is not one of this operator");
  }
}

}  // namespace onnxrun
