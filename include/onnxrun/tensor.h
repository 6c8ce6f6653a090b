#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "onnxrun/dtype.h"
#include "onnxrun/export.h"
#include "onnxrun/shape.h"

namespace onnxrun {

// A borrowed, read-only tensor: dense, row-major. Valid while what it borrows from lives.
struct TensorView {
  DType dtype = DType::undefined;
  Shape shape;
  const void* data = nullptr;

  int64_t elements() const noexcept { return shape.elements(); }
  size_t bytes() const noexcept { return byte_size(dtype, static_cast<size_t>(elements())); }
  template <class T>
  std::span<const T> values() const noexcept {
    return {static_cast<const T*>(data), static_cast<size_t>(elements())};
  }
};

// A dense, row-major tensor. Copies share the elements (copy-on-write is the caller's business: clone()); moving is
// cheap. One thread may write while no other reads. Elements: C++'s own types for 8 bits and more (float16 and bfloat16
// are their 16 bits, complex is two floats), std::string for strings, packed bits for the 4- and 2-bit types.
class ONNXRUN_API Tensor {
 public:
  Tensor() = default;

  // Uninitialised elements (strings: empty), 64-byte aligned. \throws Error(limit) where memory is refused.
  Tensor(DType dtype, const Shape& shape);

  // Elements that belong to someone else, kept alive by `owner` (may be null).
  Tensor(DType dtype, const Shape& shape, void* data, std::shared_ptr<const void> owner);

  // A copy of what `view` shows.
  static Tensor copy_of(const TensorView& view);

  // A tensor of `values`, which must be as many as `shape` says.
  template <class T>
  static Tensor of(DType dtype, const Shape& shape, std::span<const T> values) {
    return copy_of({dtype, shape, values.data()});
  }

  bool defined() const noexcept { return dtype_ != DType::undefined; }
  DType dtype() const noexcept { return dtype_; }
  const Shape& shape() const noexcept { return shape_; }
  int64_t elements() const noexcept { return shape_.elements(); }
  size_t bytes() const noexcept { return byte_size(dtype_, static_cast<size_t>(elements())); }
  const void* data() const noexcept { return data_; }
  void* mutable_data() noexcept { return data_; }
  TensorView view() const noexcept { return {dtype_, shape_, data_}; }
  operator TensorView() const noexcept { return view(); }
  bool unique() const noexcept { return owner_.use_count() == 1; }

  // The elements as T, which must be of the element's size. No check.
  template <class T>
  std::span<const T> values() const noexcept {
    return {static_cast<const T*>(data_), static_cast<size_t>(elements())};
  }
  template <class T>
  std::span<T> mutable_values() noexcept {
    return {static_cast<T*>(data_), static_cast<size_t>(elements())};
  }

  Tensor clone() const { return copy_of(view()); }

  // The same elements under another shape of as many elements.
  Tensor reshaped(const Shape& shape) const;

 private:
  DType dtype_ = DType::undefined;
  Shape shape_;
  void* data_ = nullptr;
  std::shared_ptr<const void> owner_;
};

}  // namespace onnxrun
