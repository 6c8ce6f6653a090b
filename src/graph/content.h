#pragma once

#include "graph/type.h"
#include "onnxrun/tensor.h"

namespace onnxrun {

// Whether elements of this type can be a Content: integers of up to 64 bits and bool.
bool can_be_content(DType dtype);

// The elements of an integer or bool tensor. \throws Error(invalid_model) for another element type.
Content content_of(const Tensor& tensor);

// Elements of a content: offset + sum of positions times steps, for the positions of `extents` in row-major order.
Content strided_content(const Content& content, const std::vector<int64_t>& extents, const std::vector<int64_t>& steps,
                        int64_t offset = 0);

// A tensor of the element type and shape with these elements, all of which must be numbers.
Tensor tensor_of(const Content& content, DType dtype, const Shape& shape);

}  // namespace onnxrun
