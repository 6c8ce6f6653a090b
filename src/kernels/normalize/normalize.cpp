#include "kernels/normalize/normalize.h"

#include "kernels/dispatch.h"

namespace onnxrun {

ONNXRUN_DECLARE_TABLE(NormalizeKernels, kNormalizeKernels)

const NormalizeKernels& normalize_kernels() { return ONNXRUN_SELECT_TABLE(kNormalizeKernels); }

}  // namespace onnxrun
