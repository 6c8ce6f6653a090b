#include "kernels/half/half.h"

#include "kernels/dispatch.h"

namespace onnxrun {

ONNXRUN_DECLARE_TABLE(HalfKernels, kHalfKernels)

const HalfKernels& half_kernels() { return ONNXRUN_SELECT_TABLE(kHalfKernels); }

}  // namespace onnxrun
