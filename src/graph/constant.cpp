#include "graph/constant.h"

namespace onnxrun {

const Tensor& Constant::tensor() const {
  if (const Tensor* tensor = kept()) return *tensor;
  const std::lock_guard lock(mutex_);
  if (!tensor_) {
    auto made = std::make_unique<Tensor>(dtype_, shape_);
    making_.make(static_cast<std::byte*>(made->mutable_data()), 0, making_.units);
    tensor_ = std::move(made);
    kept_.store(tensor_.get(), std::memory_order_release);
  }
  return *tensor_;
}

}  // namespace onnxrun
