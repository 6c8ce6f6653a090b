#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>

#include "onnx.pb.h"
#include "onnxrun/model.h"
#include "onnxrun/value.h"

namespace onnxrun {

class MappedFile;

// Turns the format's messages, as without_raw_data leaves them, into tensors that borrow their elements.
class TensorReader {
 public:
  // `bytes` is what the locators point into, kept alive by `owner`. External data is looked for in `folder`; refused
  // where it is empty.
  TensorReader(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, std::filesystem::path folder,
               WeightMode mode);

  // \throws Error(invalid_model) naming the tensor; Error(io), Error(limit).
  Tensor read(const proto::TensorProto& tensor);
  SparseTensor read(const proto::SparseTensorProto& sparse);

 private:
  Tensor external(const proto::TensorProto& tensor, DType dtype, const Shape& shape);
  std::filesystem::path resolve(const std::string& location) const;

  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> owner_;
  std::filesystem::path folder_;
  WeightMode mode_;
  std::map<std::filesystem::path, std::shared_ptr<const MappedFile>> files_;
};

// The dense tensor that a sparse one stands for; `name` is for errors. \throws Error(invalid_model) for indices out of
// range.
Tensor densify(const SparseTensor& sparse, const std::string& name);

ValueType read_type(const proto::TypeProto& type);

}  // namespace onnxrun
