#include "kernels/transpose/transpose.h"

#include "kernels/dispatch.h"

namespace onnxrun {

ONNXRUN_DECLARE_TABLE(TransposeF32, kTransposeF32)

TransposeF32 transpose_f32() { return ONNXRUN_SELECT_TABLE(kTransposeF32); }

}  // namespace onnxrun
