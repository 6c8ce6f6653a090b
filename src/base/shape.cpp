#include "onnxrun/shape.h"

#include <algorithm>
#include <limits>

#include "base/checked.h"
#include "onnxrun/error.h"

namespace onnxrun {

Shape::Shape(size_t rank, int64_t value) {
  const std::vector<int64_t> dims(rank, value);
  assign(dims);
}

void Shape::assign(std::span<const int64_t> dims) {
  rank_ = dims.size();
  if (rank_ > kInline) {
    heap_.assign(dims.begin(), dims.end());
  } else {
    std::copy(dims.begin(), dims.end(), inline_.begin());
  }
}

void Shape::push_back(int64_t dim) { insert(rank_, dim); }

void Shape::insert(size_t axis, int64_t dim) {
  if (rank_ < kInline) {
    std::copy_backward(begin() + axis, end(), end() + 1);
    inline_[axis] = dim;
    ++rank_;
    return;
  }
  std::vector<int64_t> dims(begin(), end());
  dims.insert(dims.begin() + static_cast<ptrdiff_t>(axis), dim);
  assign(dims);
}

void Shape::erase(size_t axis) {
  std::vector<int64_t> dims(begin(), end());
  dims.erase(dims.begin() + static_cast<ptrdiff_t>(axis));
  assign(dims);
}

int64_t Shape::elements(size_t begin, size_t end) const noexcept {
  int64_t count = 1;
  for (size_t axis = begin; axis < end; ++axis) count *= (*this)[axis];
  return count;
}

size_t Shape::checked_bytes(DType dtype) const {
  const auto refuse = [&](const char* what) {
    throw Error(ErrorCode::limit,
                std::string("a ") + std::string(dtype_name(dtype)) + " tensor of shape " + to_string() + " " + what);
  };
  // An extent of zero makes the tensor empty, however large the others are.
  int64_t bits = bit_size(dtype);
  bool empty = false;
  for (const int64_t dim : *this) {
    if (dim < 0) refuse("has a negative extent");
    empty = empty || dim == 0;
  }
  if (empty) return 0;
  for (const int64_t dim : *this) {
    if (!checked_mul(bits, dim, bits)) refuse("is too large for this machine");
  }
  return static_cast<size_t>(bits / 8 + (bits % 8 != 0));
}

std::string Shape::to_string() const {
  std::string text = "[";
  for (size_t axis = 0; axis < rank_; ++axis) {
    if (axis > 0) text += ',';
    text += std::to_string((*this)[axis]);
  }
  return text + "]";
}

bool operator==(const Shape& a, const Shape& b) noexcept {
  return a.rank_ == b.rank_ && std::equal(a.begin(), a.end(), b.begin());
}

}  // namespace onnxrun
