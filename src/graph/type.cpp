#include "graph/type.h"

#include <algorithm>

namespace onnxrun {

bool DimShape::is_concrete() const noexcept {
  return has_rank_ && std::all_of(dims_.begin(), dims_.end(), [](const Dim& dim) { return dim.is_number(); });
}

Shape DimShape::concrete() const {
  Shape shape;
  for (const Dim& dim : dims_) shape.push_back(dim.number());
  return shape;
}

Dim DimShape::elements(size_t begin, size_t end) const {
  Dim product = 1;
  for (size_t axis = begin; axis < end; ++axis) product = product * dims_[axis];
  return product;
}

std::string DimShape::to_string() const {
  if (!has_rank_) return "[...]";
  std::string text = "[";
  for (size_t axis = 0; axis < dims_.size(); ++axis) text += (axis > 0 ? "," : "") + dims_[axis].to_string();
  return text + "]";
}

Type Type::of(const ValueType& declared) {
  Type type{declared.kind, declared.dtype, {}, nullptr};
  if (declared.has_rank) {
    std::vector<Dim> dims;
    for (const DeclaredDim& dim : declared.dims) {
      dims.push_back(dim.known() ? Dim(dim.value) : dim.name.empty() ? Dim::unknown() : Dim::symbol(dim.name));
    }
    type.shape = DimShape(std::move(dims));
  }
  if (declared.element) type.element = std::make_shared<const Type>(of(*declared.element));
  return type;
}

Type Type::of(const Value& value) {
  switch (value.kind()) {
    case ValueKind::tensor:
      return tensor(value.tensor().dtype(), value.tensor().shape());
    case ValueKind::sequence: {
      const Sequence& sequence = value.sequence();
      return Type::sequence(sequence.element_type ? of(*sequence.element_type) : Type{});
    }
    case ValueKind::optional: {
      const Optional& inner = value.optional();
      if (inner.element) return optional(of(*inner.element));
      return optional(inner.element_type ? of(*inner.element_type) : Type{});
    }
    case ValueKind::sparse_tensor:
      return {ValueKind::sparse_tensor, value.sparse_tensor().values.dtype(), value.sparse_tensor().shape, nullptr};
    case ValueKind::map: {
      const Map& map = value.map();
      return {ValueKind::map,
              map.keys.dtype(),
              {},
              map.values.empty() ? nullptr : std::make_shared<const Type>(of(map.values.front()))};
    }
    case ValueKind::none:
      break;
  }
  return {};
}

ValueType Type::declared() const {
  ValueType type;
  type.kind = kind;
  type.dtype = dtype;
  type.has_rank = shape.has_rank();
  for (const Dim& dim : shape) {
    type.dims.push_back({dim.number_or_negative(), dim.is_expression() ? dim.to_string() : ""});
  }
  if (element) type.element = std::make_shared<const ValueType>(element->declared());
  return type;
}

std::string Type::to_string() const { return declared().to_string(); }

Type merge(const Type& a, const Type& b, bool& conflict) {
  if (a.kind == ValueKind::none) return b;
  if (b.kind == ValueKind::none) return a;
  Type merged = a;
  if (a.kind != b.kind || (a.dtype != b.dtype && a.dtype != DType::undefined && b.dtype != DType::undefined)) {
    conflict = true;
    return merged;
  }
  if (a.dtype == DType::undefined) merged.dtype = b.dtype;
  if (!a.shape.has_rank()) {
    merged.shape = b.shape;
  } else if (b.shape.has_rank()) {
    if (a.shape.rank() != b.shape.rank()) {
      conflict = true;
      return merged;
    }
    for (size_t axis = 0; axis < a.shape.rank(); ++axis) {
      const Dim& left = a.shape[axis];
      const Dim& right = b.shape[axis];
      if (left.is_number() && right.is_number() && left.number() != right.number()) conflict = true;
      if (!left.is_known() || (right.is_number() && !left.is_number())) merged.shape[axis] = right;
    }
  }
  if (a.element && b.element) {
    merged.element = std::make_shared<const Type>(merge(*a.element, *b.element, conflict));
  } else if (b.element) {
    merged.element = b.element;
  }
  return merged;
}

Type join(const Type& a, const Type& b) {
  if (a.kind != b.kind || a.dtype != b.dtype) return {};
  Type joined{a.kind, a.dtype, {}, nullptr};
  if (a.shape.has_rank() && b.shape.has_rank() && a.shape.rank() == b.shape.rank()) {
    joined.shape = a.shape;
    for (size_t axis = 0; axis < a.shape.rank(); ++axis) {
      if (!(a.shape[axis] == b.shape[axis])) joined.shape[axis] = Dim::unknown();
    }
  }
  if (a.element && b.element) joined.element = std::make_shared<const Type>(join(*a.element, *b.element));
  return joined;
}

}  // namespace onnxrun
