#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "onnxrun/shape.h"

namespace onnxrun::ops {

// A walk over an N-dimensional index space with one element offset per operand that moves along. Neighbouring axes that
// every operand steps through as one are merged, axes of extent 1 dropped.
template <size_t Operands>
class StridedLoop {
 public:
  using Strides = std::array<ptrdiff_t, Operands>;

  // Axes are given outermost first.
  void add_axis(int64_t extent, const Strides& strides) {
    if (extent == 1) return;
    if (!extents_.empty()) {
      bool continues = true;
      for (size_t k = 0; k < Operands; ++k) continues = continues && strides_.back()[k] == strides[k] * extent;
      if (continues) {
        extents_.back() *= extent;
        strides_.back() = strides;
        return;
      }
    }
    extents_.push_back(extent);
    strides_.push_back(strides);
  }

  // The innermost axis: extent and strides; 1 and zeros for a scalar.
  int64_t inner_extent() const { return extents_.empty() ? 1 : extents_.back(); }
  Strides inner_strides() const { return strides_.empty() ? Strides{} : strides_.back(); }

  // Iterations of all but the innermost axes.
  int64_t outer_count(size_t inner_axes = 1) const {
    int64_t count = 1;
    for (size_t axis = 0; axis + inner_axes < extents_.size(); ++axis) count *= extents_[axis];
    return count;
  }

  // The work of the loop cut into pieces of at most `length` elements of the innermost axis.
  int64_t piece_count(int64_t length) const { return outer_count() * pieces_per_row(length); }

  // Calls body(offsets, first, count) for pieces [begin, end): elements [first, first + count) of the innermost axis.
  template <class Body>
  void for_pieces(int64_t begin, int64_t end, int64_t length, const Body& body) const {
    const int64_t per_row = pieces_per_row(length);
    int64_t piece = begin;
    if (begin >= end) return;
    for_outer(begin / per_row, (end - 1) / per_row + 1, [&](const Strides& offsets) {
      do {
        const int64_t first = piece % per_row * length;
        body(offsets, first, std::min(length, inner_extent() - first));
      } while (++piece < end && piece % per_row != 0);
    });
  }

  size_t axis_count() const { return extents_.size(); }
  int64_t extent(size_t axis) const { return extents_[axis]; }
  const Strides& strides(size_t axis) const { return strides_[axis]; }

  // Calls body(offsets) for outer iterations [begin, end), in order.
  template <class Body>
  void for_outer(int64_t begin, int64_t end, const Body& body, size_t inner_axes = 1) const {
    if (begin >= end) return;
    const size_t outer = extents_.size() < inner_axes ? 0 : extents_.size() - inner_axes;
    std::vector<int64_t> index(outer);
    Strides offsets{};
    int64_t rest = begin;
    for (size_t axis = outer; axis-- > 0;) {
      index[axis] = rest % extents_[axis];
      rest /= extents_[axis];
      for (size_t k = 0; k < Operands; ++k) offsets[k] += index[axis] * strides_[axis][k];
    }
    for (int64_t i = begin; i < end; ++i) {
      body(offsets);
      for (size_t axis = outer; axis-- > 0;) {
        for (size_t k = 0; k < Operands; ++k) offsets[k] += strides_[axis][k];
        if (++index[axis] < extents_[axis]) break;
        for (size_t k = 0; k < Operands; ++k) offsets[k] -= strides_[axis][k] * extents_[axis];
        index[axis] = 0;
      }
    }
  }

 private:
  int64_t pieces_per_row(int64_t length) const { return (inner_extent() + length - 1) / length; }

  std::vector<int64_t> extents_;
  std::vector<Strides> strides_;
};

// Row-major element strides of `shape`.
inline std::vector<ptrdiff_t> row_major_strides(const Shape& shape) {
  std::vector<ptrdiff_t> strides(shape.rank());
  ptrdiff_t stride = 1;
  for (size_t axis = shape.rank(); axis-- > 0;) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

// Strides of `shape` seen as `target`, which it broadcasts to: 0 along repeated axes.
inline std::vector<ptrdiff_t> broadcast_strides(const Shape& shape, const Shape& target) {
  const std::vector<ptrdiff_t> own = row_major_strides(shape);
  const size_t missing = target.rank() - shape.rank();
  std::vector<ptrdiff_t> strides(target.rank(), 0);
  for (size_t axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] != 1) strides[missing + axis] = own[axis];
  }
  return strides;
}

}  // namespace onnxrun::ops
