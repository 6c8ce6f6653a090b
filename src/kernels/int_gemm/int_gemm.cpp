#include "kernels/int_gemm/int_gemm.h"

#include "kernels/dispatch.h"

namespace onnxrun {

ONNXRUN_DECLARE_TABLE(IntGemmKernels, kIntGemmKernels)

const IntGemmKernels& int_gemm_kernels() { return ONNXRUN_SELECT_TABLE(kIntGemmKernels); }

}  // namespace onnxrun
