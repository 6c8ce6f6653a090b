#include "kernels/reduce/reduce.h"

#include "kernels/dispatch.h"

namespace onnxrun {

ONNXRUN_DECLARE_TABLE(ReduceKernels, kReduceKernels)

const ReduceKernels& reduce_kernels() { return ONNXRUN_SELECT_TABLE(kReduceKernels); }

}  // namespace onnxrun
