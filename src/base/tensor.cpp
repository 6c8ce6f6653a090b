#include "onnxrun/tensor.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/aligned_buffer.h"
#include "onnxrun/error.h"

namespace onnxrun {
namespace {

// Elements that live and die together with their memory.
class StringBuffer {
 public:
  explicit StringBuffer(size_t count) : strings_(count) {}
  std::string* data() { return strings_.data(); }

 private:
  std::vector<std::string> strings_;
};

}  // namespace

Tensor::Tensor(DType dtype, const Shape& shape) : dtype_(dtype), shape_(shape) {
  const size_t bytes = shape.checked_bytes(dtype);
  if (dtype == DType::string) {
    if (bytes > memory_limit()) {
      throw Error(ErrorCode::limit, "a string tensor of shape " + shape.to_string() + " exceeds the memory limit");
    }
    auto buffer = std::make_shared<StringBuffer>(static_cast<size_t>(shape.elements()));
    data_ = buffer->data();
    owner_ = std::move(buffer);
    return;
  }
  AlignedBuffer buffer = allocate_aligned(bytes);
  data_ = buffer.get();
  owner_ = std::shared_ptr<std::byte>(std::move(buffer));
}

Tensor::Tensor(DType dtype, const Shape& shape, void* data, std::shared_ptr<const void> owner)
    : dtype_(dtype), shape_(shape), data_(data), owner_(std::move(owner)) {}

Tensor Tensor::copy_of(const TensorView& view) {
  Tensor copy(view.dtype, view.shape);
  if (view.dtype == DType::string) {
    const auto source = view.values<std::string>();
    std::copy(source.begin(), source.end(), static_cast<std::string*>(copy.data_));
  } else if (view.bytes() > 0) {
    std::memcpy(copy.data_, view.data, view.bytes());
  }
  return copy;
}

Tensor Tensor::reshaped(const Shape& shape) const {
  Tensor other = *this;
  other.shape_ = shape;
  return other;
}

}  // namespace onnxrun
