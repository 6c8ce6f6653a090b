#include "kernels/unary/unary.h"

#include "kernels/dispatch.h"
#include "kernels/unary/unary_kernels.h"

namespace onnxrun {

ONNXRUN_DECLARE_TABLE(UnaryKernels, kUnaryKernels)

UnaryF32 unary_f32(UnaryKind kind) { return ONNXRUN_SELECT_TABLE(kUnaryKernels).functions[static_cast<size_t>(kind)]; }
EpilogueRowF32 epilogue_row_f32() { return ONNXRUN_SELECT_TABLE(kUnaryKernels).epilogue_row; }

}  // namespace onnxrun
