#include "kernels/simd.h"
#include "kernels/unary/epilogue_row.h"
namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {
void apply_epilogue_row(float*, const float*, size_t, const EpilogueStep*, int) noexcept {}
}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
