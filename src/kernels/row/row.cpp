#include "kernels/row/row.h"

#include "kernels/dispatch.h"

namespace onnxrun {

ONNXRUN_DECLARE_TABLE(RowKernels, kRowKernels)

const RowKernels& row_kernels() { return ONNXRUN_SELECT_TABLE(kRowKernels); }

}  // namespace onnxrun
