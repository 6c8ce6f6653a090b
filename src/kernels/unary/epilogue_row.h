// The steps of an epilogue that do not fit registers, as a pass over a row; only ISA files include it.
#pragma once

#include "kernels/epilogue.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {

// See EpilogueRowF32.
void apply_epilogue_row(float* dst, const float* residual, size_t n, const EpilogueStep* steps,
                        int step_count) noexcept;

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
