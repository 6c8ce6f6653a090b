#include "graph/content.h"

#include <algorithm>

#include "base/dispatch_dtype.h"
#include "onnxrun/error.h"

namespace onnxrun {

bool can_be_content(DType dtype) { return kIntegers.contains(dtype) || dtype == DType::boolean; }

Content content_of(const Tensor& tensor) {
  if (!can_be_content(tensor.dtype())) {
    throw Error(ErrorCode::invalid_model,
                "integers are wanted where there is a tensor of " + std::string(dtype_name(tensor.dtype())));
  }
  Content content;
  dispatch_dtype<IntegerTypes, bool>(tensor.dtype(), [&]<class T>() {
    for (const T element : tensor.values<T>()) content.emplace_back(static_cast<int64_t>(element));
  });
  return content;
}

Content strided_content(const Content& content, const std::vector<int64_t>& extents, const std::vector<int64_t>& steps,
                        int64_t offset) {
  std::vector<int64_t> offsets = {offset};
  for (size_t axis = 0; axis < extents.size(); ++axis) {
    std::vector<int64_t> deeper;
    for (const int64_t first : offsets) {
      for (int64_t i = 0; i < extents[axis]; ++i) deeper.push_back(first + i * steps[axis]);
    }
    offsets = std::move(deeper);
  }
  Content picked;
  for (const int64_t at : offsets) picked.push_back(content[static_cast<size_t>(at)]);
  return picked;
}

Tensor tensor_of(const Content& content, DType dtype, const Shape& shape) {
  Tensor tensor(dtype, shape);
  dispatch_dtype<IntegerTypes, bool>(dtype, [&]<class T>() {
    std::transform(content.begin(), content.end(), tensor.mutable_values<T>().begin(),
                   [](const Dim& element) { return static_cast<T>(element.number()); });
  });
  return tensor;
}

}  // namespace onnxrun
