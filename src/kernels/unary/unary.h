#pragma once

#include <cstddef>
#include <cstdint>

namespace onnxrun {

// Elementwise float functions; alpha and beta as the ONNX operator of the same name has them.
enum class UnaryKind : uint8_t {
  identity,
  abs,
  neg,
  sign,
  reciprocal,  // exact division
  sqrt,
  floor,
  ceil,
  round,  // half to even
  exp,
  log,
  erf,
  tanh,
  sigmoid,
  softplus,
  softsign,  // x / (1 + |x|)
  relu,
  leaky_relu,        // x < 0 ? alpha x : x
  elu,               // x < 0 ? alpha (exp(x) - 1) : x
  selu,              // beta (x <= 0 ? alpha (exp(x) - 1) : x): beta is ONNX's gamma
  celu,              // max(0, x) + min(0, alpha (exp(x / alpha) - 1)), alpha > 0
  thresholded_relu,  // x > alpha ? x : 0
  hard_sigmoid,      // max(0, min(1, alpha x + beta))
  hard_swish,        // x max(0, min(1, x / 6 + 1 / 2))
  gelu_erf,
  gelu_tanh,
  silu,  // x sigmoid(alpha x): ONNX Swish
  mish,
  clip,  // min(max(x, alpha), beta)
  sin,
  cos,
  tan,
  asin,
  acos,
  atan,
  sinh,
  cosh,
  asinh,
  acosh,
  atanh,
};
inline constexpr int kUnaryKindCount = static_cast<int>(UnaryKind::atanh) + 1;

// dst[i] = f(src[i]) for i < n; dst may be src, no other overlap. Errors are stated per function in vec_math.h.
using UnaryF32 = void (*)(const float* src, float* dst, size_t n, float alpha, float beta) noexcept;

// The row function of the selected instruction set. Thread-safe.
UnaryF32 unary_f32(UnaryKind kind);

// The same in double precision by the C library, for any instruction set. Thread-safe.
using UnaryF64 = void (*)(const double* src, double* dst, size_t n, double alpha, double beta) noexcept;
UnaryF64 unary_f64(UnaryKind kind);

}  // namespace onnxrun
