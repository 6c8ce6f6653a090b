#include "ops/support/axis_copy.h"

#include <algorithm>
#include <cstring>

#include "base/packed.h"
#include "ops/support/axis_view.h"
#include "ops/support/element_width.h"

namespace onnxrun::ops {
namespace {

void copy_elements(DType dtype, const void* src, int64_t src_offset, void* dst, int64_t dst_offset, int64_t n) {
  if (is_packed(dtype)) {
    const int bits = bit_size(dtype);
    for (int64_t i = 0; i < n; ++i) {
      const uint8_t element = get_packed(static_cast<const uint8_t*>(src), bits, src_offset + i);
      put_packed(static_cast<uint8_t*>(dst), bits, dst_offset + i, element);
    }
    return;
  }
  dispatch_width(dtype, [&]<class T>() {
    std::copy_n(static_cast<const T*>(src) + src_offset, n, static_cast<T*>(dst) + dst_offset);
  });
}

}  // namespace

Tensor copy_part(const TensorView& src, size_t axis, int64_t begin, int64_t count) {
  const AxisView view(src.shape, axis);
  Shape shape = src.shape;
  shape[axis] = count;
  Tensor part(src.dtype, shape);
  if (is_packed(src.dtype)) std::memset(part.mutable_data(), 0, part.bytes());
  const int64_t run = count * view.inner;
  for (int64_t outer = 0; outer < view.outer; ++outer) {
    copy_elements(src.dtype, src.data, (outer * view.extent + begin) * view.inner, part.mutable_data(), outer * run,
                  run);
  }
  return part;
}

void copy_into(const TensorView& src, size_t axis, void* dst, const Shape& target, int64_t begin) {
  const AxisView view(target, axis);
  const int64_t run = src.shape[axis] * view.inner;
  for (int64_t outer = 0; outer < view.outer; ++outer) {
    copy_elements(src.dtype, src.data, outer * run, dst, (outer * view.extent + begin) * view.inner, run);
  }
}

}  // namespace onnxrun::ops
