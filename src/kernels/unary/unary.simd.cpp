#include <math.h>

#include "kernels/unary/epilogue_row.h"
#include "kernels/unary/unary_kernels.h"
#include "kernels/vec_math.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {
namespace {

constexpr size_t kWidth = kLanes<float>;

// One row function from a struct with a static `of(x, alpha, beta)`.
template <class F>
void row(const float* src, float* dst, size_t n, float alpha, float beta) noexcept {
  const VecF a(alpha), b(beta);
  size_t i = 0;
  for (; i + kWidth <= n; i += kWidth) store(dst + i, F::of(load(src + i), a, b));
  if (i < n) store_partial(dst + i, F::of(load_partial(src + i, n - i), a, b), n - i);
}

// One from the C library: correct everywhere, a call per element.
template <float (*kFunction)(float)>
void library_row(const float* src, float* dst, size_t n, float, float) noexcept {
  for (size_t i = 0; i < n; ++i) dst[i] = kFunction(src[i]);
}

#define ONNXRUN_UNARY(Name, expression)                                              \
  struct Name {                                                                      \
    static ONNXRUN_INLINE VecF of(const VecF& x, [[maybe_unused]] const VecF& alpha, \
                                  [[maybe_unused]] const VecF& beta) noexcept {      \
      return expression;                                                             \
    }                                                                                \
  }

ONNXRUN_UNARY(Identity, x);
ONNXRUN_UNARY(Abs, xsimd::abs(x));
ONNXRUN_UNARY(Neg, x ^ VecF(-0.0f));
ONNXRUN_UNARY(Sign, select(x < VecF(0.0f), VecF(-1.0f), select(x > VecF(0.0f), VecF(1.0f), x + VecF(0.0f))));
ONNXRUN_UNARY(Reciprocal, VecF(1.0f) / x);
ONNXRUN_UNARY(Sqrt, xsimd::sqrt(x));
// On SSE2 xsimd loses the sign of a zero result.
ONNXRUN_UNARY(Floor, xsimd::floor(x) | sign_bit(x));
ONNXRUN_UNARY(Ceil, xsimd::ceil(x) | sign_bit(x));
ONNXRUN_UNARY(Round, xsimd::nearbyint(x));
ONNXRUN_UNARY(Exp, exp(x));
ONNXRUN_UNARY(Log, xsimd::log(x));
ONNXRUN_UNARY(Erf, erf(x));
ONNXRUN_UNARY(Tanh, tanh(x));
ONNXRUN_UNARY(Sigmoid, sigmoid(x));
ONNXRUN_UNARY(Softplus, softplus(x));
ONNXRUN_UNARY(Softsign, x / (xsimd::abs(x) + VecF(1.0f)));
ONNXRUN_UNARY(Relu, at_least(x, VecF(0.0f)));
ONNXRUN_UNARY(LeakyRelu, select(x < VecF(0.0f), x* alpha, x));
ONNXRUN_UNARY(Elu, select(x < VecF(0.0f), alpha* expm1_of_negative(at_most(x, VecF(0.0f))), x));
ONNXRUN_UNARY(Selu, beta* select(x <= VecF(0.0f), alpha* expm1_of_negative(at_most(x, VecF(0.0f))), x));
ONNXRUN_UNARY(ThresholdedRelu, select(x <= alpha, VecF(0.0f), x));
ONNXRUN_UNARY(HardSigmoid, hard_sigmoid(x, alpha, beta));
ONNXRUN_UNARY(HardSwish, hard_swish(x));
ONNXRUN_UNARY(GeluErf, gelu_erf(x));
ONNXRUN_UNARY(GeluTanh, gelu_tanh(x));
ONNXRUN_UNARY(Silu, x* sigmoid(x* alpha));
ONNXRUN_UNARY(Mish, mish(x));
ONNXRUN_UNARY(Clip, at_most(at_least(x, alpha), beta));
ONNXRUN_UNARY(Sin, xsimd::sin(x));
ONNXRUN_UNARY(Cos, xsimd::cos(x));
ONNXRUN_UNARY(Asin, asin(x));
ONNXRUN_UNARY(Acos, acos(x));
ONNXRUN_UNARY(Atan, xsimd::atan(x));

ONNXRUN_UNARY(Celu, select(x < VecF(0.0f), alpha* expm1_of_negative(at_most(x / alpha, VecF(0.0f))), x));
#undef ONNXRUN_UNARY

constexpr UnaryF32 function_of(UnaryKind kind) {
  switch (kind) {
    case UnaryKind::identity:
      return row<Identity>;
    case UnaryKind::abs:
      return row<Abs>;
    case UnaryKind::neg:
      return row<Neg>;
    case UnaryKind::sign:
      return row<Sign>;
    case UnaryKind::reciprocal:
      return row<Reciprocal>;
    case UnaryKind::sqrt:
      return row<Sqrt>;
    case UnaryKind::floor:
      return row<Floor>;
    case UnaryKind::ceil:
      return row<Ceil>;
    case UnaryKind::round:
      return row<Round>;
    case UnaryKind::exp:
      return row<Exp>;
    case UnaryKind::log:
      return row<Log>;
    case UnaryKind::erf:
      return row<Erf>;
    case UnaryKind::tanh:
      return row<Tanh>;
    case UnaryKind::sigmoid:
      return row<Sigmoid>;
    case UnaryKind::softplus:
      return row<Softplus>;
    case UnaryKind::softsign:
      return row<Softsign>;
    case UnaryKind::relu:
      return row<Relu>;
    case UnaryKind::leaky_relu:
      return row<LeakyRelu>;
    case UnaryKind::elu:
      return row<Elu>;
    case UnaryKind::selu:
      return row<Selu>;
    case UnaryKind::celu:
      return row<Celu>;
    case UnaryKind::thresholded_relu:
      return row<ThresholdedRelu>;
    case UnaryKind::hard_sigmoid:
      return row<HardSigmoid>;
    case UnaryKind::hard_swish:
      return row<HardSwish>;
    case UnaryKind::gelu_erf:
      return row<GeluErf>;
    case UnaryKind::gelu_tanh:
      return row<GeluTanh>;
    case UnaryKind::silu:
      return row<Silu>;
    case UnaryKind::mish:
      return row<Mish>;
    case UnaryKind::clip:
      return row<Clip>;
    case UnaryKind::sin:
      return row<Sin>;
    case UnaryKind::cos:
      return row<Cos>;
    case UnaryKind::tan:
      return library_row<tanf>;
    case UnaryKind::asin:
      return row<Asin>;
    case UnaryKind::acos:
      return row<Acos>;
    case UnaryKind::atan:
      return row<Atan>;
    case UnaryKind::sinh:
      return library_row<sinhf>;
    case UnaryKind::cosh:
      return library_row<coshf>;
    case UnaryKind::asinh:
      return library_row<asinhf>;
    case UnaryKind::acosh:
      return library_row<acoshf>;
    case UnaryKind::atanh:
      return library_row<atanhf>;
  }
  return nullptr;
}

constexpr UnaryKernels make_kernels() {
  UnaryKernels kernels;
  for (int i = 0; i < kUnaryKindCount; ++i) kernels.functions[i] = function_of(static_cast<UnaryKind>(i));
  kernels.epilogue_row = apply_epilogue_row;
  return kernels;
}

UnaryF32 function_of_step(EpilogueKind kind) noexcept {
  switch (kind) {
    case EpilogueKind::relu:
      return row<Relu>;
    case EpilogueKind::leaky_relu:
      return row<LeakyRelu>;
    case EpilogueKind::clip:
      return row<Clip>;
    case EpilogueKind::sigmoid:
      return row<Sigmoid>;
    case EpilogueKind::silu:
      return row<Silu>;
    case EpilogueKind::hard_sigmoid:
      return row<HardSigmoid>;
    case EpilogueKind::hard_swish:
      return row<HardSwish>;
    case EpilogueKind::tanh:
      return row<Tanh>;
    case EpilogueKind::mish:
      return row<Mish>;
    case EpilogueKind::softplus:
      return row<Softplus>;
    case EpilogueKind::gelu_erf:
      return row<GeluErf>;
    case EpilogueKind::gelu_tanh:
      return row<GeluTanh>;
    case EpilogueKind::quantize:
    case EpilogueKind::add_residual:
      break;
  }
  return row<Identity>;
}

void add_row(float* dst, const float* residual, size_t n) noexcept {
  size_t i = 0;
  for (; i + kWidth <= n; i += kWidth) store(dst + i, load(dst + i) + load(residual + i));
  for (; i < n; ++i) dst[i] += residual[i];
}

void quantize_row(float* dst, size_t n, const EpilogueStep& step) noexcept {
  const VecF scale(step.alpha), low(step.beta), high(step.gamma);
  // Adding 0 makes -0 a 0.
  const auto quantize = [&](const VecF& x) ONNXRUN_INLINE_LAMBDA {
    const VecF rounded = xsimd::nearbyint(x / scale);
    return (at_most(select(rounded > low, rounded, low), high) + VecF(0.0f)) * scale;
  };
  size_t i = 0;
  for (; i + kWidth <= n; i += kWidth) store(dst + i, quantize(load(dst + i)));
  if (i < n) store_partial(dst + i, quantize(load_partial(dst + i, n - i)), n - i);
}

}  // namespace

void apply_epilogue_row(float* dst, const float* residual, size_t n, const EpilogueStep* steps,
                        int step_count) noexcept {
  for (const EpilogueStep* step = steps; step != steps + step_count; ++step) {
    if (step->kind == EpilogueKind::add_residual) {
      add_row(dst, residual, n);
    } else if (step->kind == EpilogueKind::quantize) {
      quantize_row(dst, n, *step);
    } else {
      const float alpha = step->kind == EpilogueKind::silu ? 1.0f : step->alpha;
      function_of_step(step->kind)(dst, dst, n, alpha, step->beta);
    }
  }
}

extern const UnaryKernels kUnaryKernels;
constexpr UnaryKernels kUnaryKernels = make_kernels();

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
