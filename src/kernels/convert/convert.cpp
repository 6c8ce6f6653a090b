#include "kernels/convert/convert.h"

#include "kernels/dispatch.h"

namespace onnxrun {

ONNXRUN_DECLARE_TABLE(ConvertKernels, kConvertKernels)

const ConvertKernels& convert_kernels() { return ONNXRUN_SELECT_TABLE(kConvertKernels); }

}  // namespace onnxrun
