#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/dim.h"
#include "onnxrun/value.h"

namespace onnxrun {

// The shape of a tensor as far as it is known.
class DimShape {
 public:
  DimShape() = default;  // not even the rank
  DimShape(std::vector<Dim> dims) : has_rank_(true), dims_(std::move(dims)) {}
  DimShape(std::initializer_list<Dim> dims) : has_rank_(true), dims_(dims) {}
  DimShape(const Shape& shape) : has_rank_(true), dims_(shape.begin(), shape.end()) {}
  static DimShape unknown() { return {}; }
  static DimShape of_rank(size_t rank) { return std::vector<Dim>(rank); }

  bool has_rank() const noexcept { return has_rank_; }
  size_t rank() const noexcept { return dims_.size(); }
  const Dim& operator[](size_t axis) const noexcept { return dims_[axis]; }
  Dim& operator[](size_t axis) noexcept { return dims_[axis]; }
  const std::vector<Dim>& dims() const noexcept { return dims_; }
  auto begin() const noexcept { return dims_.begin(); }
  auto end() const noexcept { return dims_.end(); }

  // Whether every extent is a number.
  bool is_concrete() const noexcept;
  // The numbers; only where is_concrete().
  Shape concrete() const;
  // The product of the extents [begin, end).
  Dim elements(size_t begin, size_t end) const;
  Dim elements() const { return has_rank_ ? elements(0, rank()) : Dim::unknown(); }

  // "[batch,3,?]", "[...]".
  std::string to_string() const;

  friend bool operator==(const DimShape& a, const DimShape& b) {
    return a.has_rank_ == b.has_rank_ && a.dims_ == b.dims_;
  }

 private:
  bool has_rank_ = false;
  std::vector<Dim> dims_;
};

// The type of a value, as far as it is known. kind none: nothing is known.
struct Type {
  ValueKind kind = ValueKind::none;
  DType dtype = DType::undefined;
  DimShape shape;                       // of a tensor or sparse tensor
  std::shared_ptr<const Type> element;  // of a sequence or optional; the values of a map

  static Type tensor(DType dtype, DimShape shape) { return {ValueKind::tensor, dtype, std::move(shape), nullptr}; }
  static Type sequence(Type element) {
    return {ValueKind::sequence, DType::undefined, {}, std::make_shared<const Type>(std::move(element))};
  }
  static Type optional(Type element) {
    return {ValueKind::optional, DType::undefined, {}, std::make_shared<const Type>(std::move(element))};
  }
  static Type of(const ValueType& declared);
  static Type of(const Value& value);

  bool is_tensor() const noexcept { return kind == ValueKind::tensor; }
  bool is_concrete_tensor() const noexcept { return is_tensor() && dtype != DType::undefined && shape.is_concrete(); }
  ValueType declared() const;
  std::string to_string() const;
};

// What both types allow: known parts of either. `conflict` is set where they contradict each other.
Type merge(const Type& a, const Type& b, bool& conflict);
// What a value of either type has in common.
Type join(const Type& a, const Type& b);

// Known elements of a small integer or bool tensor, row-major; single elements may be unknown.
using Content = std::vector<Dim>;
inline constexpr int64_t kMaxContentElements = 256;

// A tensor's type at plan time: everything is a number.
struct TensorType {
  DType dtype = DType::undefined;
  Shape shape;

  int64_t elements() const noexcept { return shape.elements(); }
  size_t bytes() const { return shape.checked_bytes(dtype); }
  std::string to_string() const { return std::string(dtype_name(dtype)) + shape.to_string(); }
};

}  // namespace onnxrun
