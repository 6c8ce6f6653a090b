#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "graph/operator.h"

namespace onnxrun::ops {

// Where keys stand in a list of them: strings, or numbers of up to 64 bits.
class KeyIndex {
 public:
  enum class Repeated : uint8_t { first, last };  // which one of equal keys counts
  // Whether NaN is a key like any other and -0 is 0, or floats are told apart by their bits.
  enum class Floats : uint8_t { by_value, by_bits };

  KeyIndex() = default;
  // `keys` has one dimension. \throws Error(invalid_model).
  explicit KeyIndex(const Tensor& keys, Repeated repeated = Repeated::last, Floats floats = Floats::by_value);

  DType dtype() const { return dtype_; }
  // The position of elements[i], an element of the keys' type; -1 where it is no key.
  int64_t find(const void* elements, int64_t i) const {
    if (near_.empty()) return look_up(elements, i);
    const uint64_t at = static_cast<uint64_t>(static_cast<const int64_t*>(elements)[i]) - first_;
    return at < near_.size() ? near_[at] : -1;
  }

 private:
  int64_t look_up(const void* elements, int64_t i) const;
  uint64_t number(const void* elements, int64_t i) const;

  DType dtype_ = DType::undefined;
  Floats floats_ = Floats::by_value;
  std::unordered_map<std::string, int64_t> strings_;
  std::unordered_map<uint64_t, int64_t> numbers_;
  // The positions of the integers from first_ on, where the keys are not far apart.
  uint64_t first_ = 0;
  std::vector<int64_t> near_;
};

// Replaces keys by values, element by element.
class LabelMap {
 public:
  LabelMap() = default;
  // `values` are as many as the keys were, `otherwise` one of their type. \throws Error(invalid_model).
  LabelMap(KeyIndex keys, size_t key_count, Tensor values, Tensor otherwise);

  DType key_dtype() const { return keys_.dtype(); }

  void infer(InferContext& context) const;
  // The map must outlive the plan.
  void plan(PlanContext& context) const;

 private:
  KeyIndex keys_;
  Tensor values_;
  Tensor otherwise_;
};

// Tensors of one dimension from attributes; a single element as one of shape [1].
Tensor list_tensor(const std::vector<int64_t>& values);
Tensor list_tensor(const std::vector<float>& values);
Tensor list_tensor(const std::vector<std::string>& values);

}  // namespace onnxrun::ops
