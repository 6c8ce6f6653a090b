#include "kernels/binary/binary.h"

#include "kernels/binary/binary_table.h"
#include "kernels/dispatch.h"

namespace onnxrun {

ONNXRUN_DECLARE_TABLE(BinaryTable, kBinaryTable)

BinaryRowKernel binary_row(BinaryKind kind, DType dtype) {
  return ONNXRUN_SELECT_TABLE(kBinaryTable).rows[static_cast<size_t>(kind)][static_cast<size_t>(dtype)];
}

}  // namespace onnxrun
