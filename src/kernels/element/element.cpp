#include "kernels/element/element.h"

#include "kernels/dispatch.h"

namespace onnxrun {

ONNXRUN_DECLARE_TABLE(ElementKernels, kElementKernels)

const ElementKernels& element_kernels() { return ONNXRUN_SELECT_TABLE(kElementKernels); }

}  // namespace onnxrun
