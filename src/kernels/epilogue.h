#pragma once

#include <cstddef>
#include <cstdint>

namespace onnxrun {

// What a kernel does to a sum before it stores it. x is the value so far.
enum class EpilogueKind : uint8_t {
  relu,          // max(x, 0)
  leaky_relu,    // x < 0 ? alpha x : x
  clip,          // min(max(x, alpha), beta)
  sigmoid,       // 1 / (1 + exp(-x))
  silu,          // x sigmoid(x)
  hard_sigmoid,  // max(0, min(1, alpha x + beta))
  hard_swish,    // x max(0, min(1, x / 6 + 1 / 2))
  tanh,
  mish,          // x tanh(softplus(x))
  softplus,      // log(1 + exp(x))
  gelu_erf,      // x / 2 (1 + erf(x / sqrt(2)))
  gelu_tanh,     // x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
  quantize,      // min(max(round(x / alpha), beta), gamma) alpha, half to even; NaN as beta
  add_residual,  // x + the element of the residual operand at the same place
};

// NaN stays NaN through every kind but quantize.
struct EpilogueStep {
  EpilogueKind kind = EpilogueKind::relu;
  float alpha = 0;
  float beta = 0;
  float gamma = 0;
};

// First the bias is added, then the steps follow in their order. A leading add_residual and a following relu,
// leaky_relu, clip or (float) hard_swish are free: they happen in registers. The pointers are borrowed for the call.
template <class T>
struct EpilogueOf {
  const T* bias = nullptr;      // nullptr: none; GEMM: [N], convolution: [out_channels]
  const T* residual = nullptr;  // elements like the output; only add_residual reads it; it may be the output itself
  ptrdiff_t residual_row_stride = 0;  // GEMM: elements between rows, 0 repeats one row; convolution: not used
  const EpilogueStep* steps = nullptr;
  int step_count = 0;
};
using Epilogue = EpilogueOf<float>;

// The leading steps of an epilogue that are applied in registers.
template <class T>
struct RegisterEpilogue {
  enum class Activation : uint8_t { none, relu, clip, leaky_relu, hard_swish };
  bool add_residual = false;
  Activation activation = Activation::none;
  T alpha = 0, beta = 0;
  int steps = 0;  // how many steps that is
};

// Applies steps to dst[n] in place; `residual` has n elements, or is nullptr when no step is add_residual.
using EpilogueRowF32 = void (*)(float* dst, const float* residual, size_t n, const EpilogueStep* steps,
                                int step_count) noexcept;

// The one of the selected instruction set; see unary/unary.h for the functions' errors. Thread-safe.
EpilogueRowF32 epilogue_row_f32();

}  // namespace onnxrun
