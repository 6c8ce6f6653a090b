// What the instruction sets' files give to unary.cpp.
#pragma once

#include "kernels/epilogue.h"
#include "kernels/unary/unary.h"

namespace onnxrun {

struct UnaryKernels {
  UnaryF32 functions[kUnaryKindCount] = {};
  EpilogueRowF32 epilogue_row = nullptr;
};

}  // namespace onnxrun
