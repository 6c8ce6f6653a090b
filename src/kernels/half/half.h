#pragma once

#include <cstddef>

#include "base/half.h"

namespace onnxrun {

// Rows of float16 to floats and back, of the selected instruction set: exact, and rounded to nearest even. Thread-safe.
struct HalfKernels {
  void (*widen)(const Half* src, float* dst, size_t n) noexcept = nullptr;
  void (*narrow)(const float* src, Half* dst, size_t n) noexcept = nullptr;
};

const HalfKernels& half_kernels();

}  // namespace onnxrun
