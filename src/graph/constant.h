#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "onnxrun/tensor.h"

namespace onnxrun {

// A tensor that is known when the model is compiled. Thread-safe.
class Constant {
 public:
  enum class Source : uint8_t { file, inline_bytes, computed };

  // How elements follow from those of `sources`, in independent units of as many bytes, one behind the other: writes
  // those of [begin, end) to `dst`. What else they depend on is in `recipe`: any bytes.
  struct Making {
    size_t units = 1;
    std::function<void(std::byte* dst, size_t begin, size_t end)> make;
    std::vector<std::shared_ptr<const Constant>> sources;
    std::string recipe;
  };

  Constant(Tensor tensor, Source source)
      : dtype_(tensor.dtype()),
        shape_(tensor.shape()),
        source_(source),
        tensor_(std::make_unique<Tensor>(std::move(tensor))),
        kept_(tensor_.get()) {}
  // Computed when it is wanted: weights that are only packed take no memory of their own.
  Constant(DType dtype, Shape shape, Making making)
      : dtype_(dtype), shape_(std::move(shape)), source_(Source::computed), making_(std::move(making)) {}

  DType dtype() const noexcept { return dtype_; }
  const Shape& shape() const noexcept { return shape_; }
  int64_t elements() const noexcept { return shape_.elements(); }
  size_t bytes() const noexcept { return byte_size(dtype_, static_cast<size_t>(elements())); }
  Source source() const noexcept { return source_; }

  // The elements, which are kept from then on.
  const Tensor& tensor() const;
  // The same where they are kept already, else null.
  const Tensor* kept() const noexcept { return kept_.load(std::memory_order_acquire); }
  // What makes them where they are not.
  const Making& making() const noexcept { return making_; }

 private:
  DType dtype_;
  Shape shape_;
  Source source_;
  Making making_;
  mutable std::mutex mutex_;
  mutable std::unique_ptr<const Tensor> tensor_;
  mutable std::atomic<const Tensor*> kept_{nullptr};
};
using ConstantPtr = std::shared_ptr<const Constant>;

}  // namespace onnxrun
