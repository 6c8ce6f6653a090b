#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "onnxrun/export.h"
#include "onnxrun/tensor.h"

namespace onnxrun {

// One extent of a declared shape: a number, a name ("batch"), or nothing known (value -1, no name).
struct DeclaredDim {
  int64_t value = -1;
  std::string name;

  bool known() const noexcept { return value >= 0; }
};

enum class ValueKind : uint8_t { none, tensor, sequence, map, sparse_tensor, optional };

// The type of a value as a model declares it.
struct ValueType {
  ValueKind kind = ValueKind::tensor;
  DType dtype = DType::undefined;  // elements of a tensor or sparse tensor; keys of a map
  bool has_rank = false;           // whether `dims` is known at all
  std::vector<DeclaredDim> dims;
  std::shared_ptr<const ValueType> element;  // of a sequence or optional; the values of a map

  // "float32[batch,3,224,224]", "sequence(float32[?])", "float32[...]" without a rank.
  ONNXRUN_API std::string to_string() const;
};

class Value;

struct Sequence {
  std::shared_ptr<const ValueType> element_type;  // null where not known
  std::vector<Value> elements;
};

// Keys are int64 or string, in the order of the model; values are one tensor element each or whole values.
struct Map {
  Tensor keys;
  std::vector<Value> values;
};

// Coordinate form: `indices` is int64 [count] (flat) or [count, rank].
struct SparseTensor {
  Tensor values;
  Tensor indices;
  Shape shape;
};

struct Optional {
  std::shared_ptr<const ValueType> element_type;  // null where not known
  std::shared_ptr<const Value> element;           // null: empty
};

// Anything that flows along an edge of a graph. Copies share elements.
class ONNXRUN_API Value {
 public:
  Value() = default;
  Value(Tensor tensor) : content_(std::move(tensor)) {}
  Value(Sequence sequence) : content_(std::move(sequence)) {}
  Value(Map map) : content_(std::move(map)) {}
  Value(SparseTensor sparse) : content_(std::move(sparse)) {}
  Value(Optional optional) : content_(std::move(optional)) {}

  ValueKind kind() const noexcept { return static_cast<ValueKind>(content_.index()); }
  bool is_tensor() const noexcept { return kind() == ValueKind::tensor; }

  // \throws Error(run_failed) where the value is of another kind.
  const Tensor& tensor() const { return get<Tensor>(ValueKind::tensor); }
  Tensor& tensor() { return get<Tensor>(ValueKind::tensor); }
  const Sequence& sequence() const { return get<Sequence>(ValueKind::sequence); }
  Sequence& sequence() { return get<Sequence>(ValueKind::sequence); }
  const Map& map() const { return get<Map>(ValueKind::map); }
  const SparseTensor& sparse_tensor() const { return get<SparseTensor>(ValueKind::sparse_tensor); }
  const Optional& optional() const { return get<Optional>(ValueKind::optional); }

  // "float32[2,3]", "sequence(2)", ...
  std::string type_string() const;

 private:
  [[noreturn]] void wrong_kind(ValueKind wanted) const;

  template <class T>
  const T& get(ValueKind wanted) const {
    const T* value = std::get_if<T>(&content_);
    if (!value) wrong_kind(wanted);
    return *value;
  }
  template <class T>
  T& get(ValueKind wanted) {
    T* value = std::get_if<T>(&content_);
    if (!value) wrong_kind(wanted);
    return *value;
  }

  std::variant<std::monostate, Tensor, Sequence, Map, SparseTensor, Optional> content_;
};

}  // namespace onnxrun
