#pragma once

#include <cstdint>

#include "graph/operator.h"

namespace onnxrun {
struct IndexedElements;
}

namespace onnxrun::ops {

// \throws Error(run_failed) that names the index.
[[noreturn]] void fail_index(int64_t index, int64_t extent);

// An index of [-extent, extent) as one of [0, extent). \throws Error(run_failed).
inline int64_t checked_index(int64_t index, int64_t extent) {
  if (index < -extent || index >= extent) fail_index(index, extent);
  return index < 0 ? index + extent : index;
}

// Checks that `indices` may pick elements of `data` along `axis`, as GatherElements and ScatterElements do.
// \throws Error(invalid_model).
void check_elementwise_indices(const InferContext& context, const DimShape& data, const DimShape& indices,
                               int64_t axis);

// The elements of an int32 or int64 tensor.
class IndexReader {
 public:
  IndexReader(const void* data, DType dtype) : data_(data), is_wide_(dtype == DType::int64) {}

  int64_t operator[](int64_t i) const noexcept {
    return is_wide_ ? static_cast<const int64_t*>(data_)[i] : static_cast<const int32_t*>(data_)[i];
  }

  // The places of n indices from `first` on. \throws Error(run_failed) where one is outside.
  void offsets(int64_t first, int64_t n, const IndexedElements& elements, int64_t* offsets) const;

 private:
  const void* data_;
  bool is_wide_;
};

}  // namespace onnxrun::ops
