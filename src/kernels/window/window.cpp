#include "kernels/window/window.h"

#include "kernels/dispatch.h"

namespace onnxrun {

ONNXRUN_DECLARE_TABLE(WindowKernels, kWindowKernels)

const WindowKernels& window_kernels() { return ONNXRUN_SELECT_TABLE(kWindowKernels); }

}  // namespace onnxrun
