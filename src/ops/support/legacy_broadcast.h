#pragma once

#include "graph/operator.h"

namespace onnxrun::ops {

// Broadcasting of binary operators, in the form of every version: since 7 as in
// https://onnx.ai/onnx/repo-docs/Broadcasting.html; before that the attributes `broadcast` and `axis` place the second
// operand inside the first.
class BinaryBroadcast {
 public:
  // \throws Error(invalid_model).
  explicit BinaryBroadcast(AttributeReader& attributes);

  // The output's shape. \throws Error(invalid_model) where the shapes do not fit.
  DimShape infer(const DimShape& a, const DimShape& b) const;

  // The second operand's shape with trailing ones, so that the rules of today give what the attributes say.
  Shape second(const Shape& a, const Shape& b) const;

 private:
  bool legacy_ = false;
  bool broadcast_ = false;
  std::optional<int64_t> axis_;
};

}  // namespace onnxrun::ops
