#pragma once

#include <cstddef>

namespace onnxrun {

// dst[c * dst_step + r] = src[r * src_step + c] for r < rows, c < columns, in squares of vectors. Steps count floats;
// src and dst may lie at any address and must not overlap. Bits are kept, whatever they mean. Thread-safe.
using TransposeF32 = void (*)(const float* src, ptrdiff_t src_step, size_t rows, size_t columns, float* dst,
                              ptrdiff_t dst_step) noexcept;

// The one of the selected instruction set.
TransposeF32 transpose_f32();

}  // namespace onnxrun
