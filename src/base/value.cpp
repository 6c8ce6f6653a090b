#include "onnxrun/value.h"

#include <array>

#include "onnxrun/error.h"

namespace onnxrun {
namespace {

constexpr std::array<std::string_view, 6> kKindNames = {"none", "tensor",        "sequence",
                                                        "map",  "sparse tensor", "optional"};

std::string dims_to_string(const ValueType& type) {
  if (!type.has_rank) return "[...]";
  std::string text = "[";
  for (size_t axis = 0; axis < type.dims.size(); ++axis) {
    const DeclaredDim& dim = type.dims[axis];
    if (axis > 0) text += ',';
    text += dim.known() ? std::to_string(dim.value) : dim.name.empty() ? "?" : dim.name;
  }
  return text + "]";
}

}  // namespace

std::string ValueType::to_string() const {
  const std::string inner = element ? element->to_string() : "?";
  switch (kind) {
    case ValueKind::none:
      return "none";
    case ValueKind::tensor:
      return std::string(dtype_name(dtype)) + dims_to_string(*this);
    case ValueKind::sparse_tensor:
      return "sparse(" + std::string(dtype_name(dtype)) + dims_to_string(*this) + ")";
    case ValueKind::sequence:
      return "sequence(" + inner + ")";
    case ValueKind::map:
      return "map(" + std::string(dtype_name(dtype)) + "," + inner + ")";
    case ValueKind::optional:
      return "optional(" + inner + ")";
  }
  return "?";
}

std::string Value::type_string() const {
  switch (kind()) {
    case ValueKind::tensor:
      return std::string(dtype_name(tensor().dtype())) + tensor().shape().to_string();
    case ValueKind::sequence:
      return "sequence of " + std::to_string(sequence().elements.size());
    case ValueKind::map:
      return "map of " + std::to_string(map().values.size());
    case ValueKind::sparse_tensor:
      return "sparse " + std::string(dtype_name(sparse_tensor().values.dtype())) + sparse_tensor().shape.to_string();
    case ValueKind::optional:
      return optional().element ? "optional " + optional().element->type_string() : "empty optional";
    case ValueKind::none:
      break;
  }
  return "nothing";
}

void Value::wrong_kind(ValueKind wanted) const {
  throw Error(ErrorCode::run_failed, "a " + std::string(kKindNames[static_cast<size_t>(wanted)]) +
                                         " is wanted where there is " + type_string());
}

}  // namespace onnxrun
