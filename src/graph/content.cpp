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

Tensor tensor_of(const Content& content, DType dtype, const Shape& shape) {
  Tensor tensor(dtype, shape);
  dispatch_dtype<IntegerTypes, bool>(dtype, [&]<class T>() {
    std::transform(content.begin(), content.end(), tensor.mutable_values<T>().begin(),
                   [](const Dim& element) { return static_cast<T>(element.number()); });
  });
  return tensor;
}

}  // namespace onnxrun
