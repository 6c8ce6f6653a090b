#pragma once

#include <cstdint>

#include "onnxrun/shape.h"

namespace onnxrun::ops {

// A tensor seen as [outer, extent, inner] around one axis.
struct AxisView {
  int64_t outer = 1;
  int64_t extent = 1;
  int64_t inner = 1;

  AxisView(const Shape& shape, size_t axis)
      : outer(shape.elements(0, axis)), extent(shape[axis]), inner(shape.elements(axis + 1, shape.rank())) {}
};

}  // namespace onnxrun::ops
