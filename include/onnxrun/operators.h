#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "onnxrun/dtype.h"
#include "onnxrun/export.h"

namespace onnxrun {

// What a type variable of an operator's signature may stand for.
struct TypeVariableInfo {
  std::string name;
  std::vector<DType> tensors;
  std::vector<DType> sequences;  // of tensors with these elements
  std::vector<DType> optionals;  // the same
  bool any = false;              // every kind of value
};

// An operator of this build.
struct OperatorInfo {
  std::string domain;  // "ai.onnx", ...
  std::string name;
  std::vector<int64_t> versions;  // the opset versions that define or change it, ascending
  int64_t deprecated_since = 0;   // 0: still in force. A deprecated operator runs as its last version says
  // Of the newest version: "X:T, axes:int64? -> Y:T", each with a type variable or an element type; `?` optional,
  // `...` variadic, `*...` variadic of unequal types.
  std::string signature;
  std::vector<TypeVariableInfo> types;
};

// Every operator of the ONNX standard that this build has, by domain and name.
ONNXRUN_API std::vector<OperatorInfo> operator_list();

}  // namespace onnxrun
