// What binary.simd.cpp gives to binary.cpp.
#pragma once

#include "kernels/binary/binary.h"

namespace onnxrun {

struct BinaryTable {
  BinaryRowKernel rows[kBinaryKindCount][kDTypeCount];
};

}  // namespace onnxrun
