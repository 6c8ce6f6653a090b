#include "kernels/quantize/quantize.h"

#include "kernels/dispatch.h"

namespace onnxrun {

ONNXRUN_DECLARE_TABLE(QuantizeKernels, kQuantizeKernels)

const QuantizeKernels& quantize_kernels() { return ONNXRUN_SELECT_TABLE(kQuantizeKernels); }

}  // namespace onnxrun
