#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "onnxrun/dtype.h"
#include "onnxrun/export.h"

namespace onnxrun {

// The extents of a tensor, outermost first; empty for a scalar. Up to eight dimensions need no allocation.
class ONNXRUN_API Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims) { assign({dims.begin(), dims.size()}); }
  explicit Shape(std::span<const int64_t> dims) { assign(dims); }
  Shape(size_t rank, int64_t value);

  size_t rank() const noexcept { return rank_; }
  size_t size() const noexcept { return rank_; }
  bool empty() const noexcept { return rank_ == 0; }
  int64_t operator[](size_t axis) const noexcept { return data()[axis]; }
  int64_t& operator[](size_t axis) noexcept { return data()[axis]; }
  int64_t* data() noexcept { return rank_ <= kInline ? inline_.data() : heap_.data(); }
  const int64_t* data() const noexcept { return rank_ <= kInline ? inline_.data() : heap_.data(); }
  int64_t* begin() noexcept { return data(); }
  int64_t* end() noexcept { return data() + rank_; }
  const int64_t* begin() const noexcept { return data(); }
  const int64_t* end() const noexcept { return data() + rank_; }
  int64_t back() const noexcept { return data()[rank_ - 1]; }
  std::span<const int64_t> dims() const noexcept { return {data(), rank_}; }

  void push_back(int64_t dim);
  void insert(size_t axis, int64_t dim);
  void erase(size_t axis);
  void assign(std::span<const int64_t> dims);

  // The product of the extents [begin, end); 1 for none. Extents of a valid tensor never overflow here.
  int64_t elements() const noexcept { return elements(0, rank_); }
  int64_t elements(size_t begin, size_t end) const noexcept;

  // The bytes of a tensor of this shape. \throws Error(limit) on a negative extent or where the size overflows 63 bits.
  size_t checked_bytes(DType dtype) const;

  // "[2,3]".
  std::string to_string() const;

  friend bool operator==(const Shape& a, const Shape& b) noexcept;

 private:
  static constexpr size_t kInline = 8;

  size_t rank_ = 0;
  std::array<int64_t, kInline> inline_{};
  std::vector<int64_t> heap_;  // all extents, when there are more than kInline
};

}  // namespace onnxrun
