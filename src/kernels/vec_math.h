// Functions of float vectors; only ISA files include it. The errors were measured against double precision on SSE2 and
// AVX2 over dense sweeps (tests/kernels/unary_test.cpp holds the bounds); ULP are spacings of floats at the exact
// value. Infinities, signed zeros, subnormals and NaN are as of the C library unless stated. Polynomials without
// another source are Chebyshev approximations of our own, of the function named beside them.
#pragma once

#include "kernels/simd.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {

using VecF = Vec<float>;
using VecI = Vec<int32_t>;

ONNXRUN_INLINE VecI as_int(const VecF& x) noexcept { return xsimd::bitwise_cast<VecI>(x); }
ONNXRUN_INLINE VecF as_float(const VecI& x) noexcept { return xsimd::bitwise_cast<VecF>(x); }
ONNXRUN_INLINE VecF sign_bit(const VecF& x) noexcept { return x & VecF(-0.0f); }

// The polynomial with coefficients c[0] + c[1] x + … by Horner's rule.
template <size_t kCount>
ONNXRUN_INLINE VecF polynomial(const VecF& x, const float (&c)[kCount]) noexcept {
  VecF result(c[kCount - 1]);
  ONNXRUN_UNROLL
  for (size_t i = 1; i < kCount; ++i) result = fma(result, x, VecF(c[kCount - 1 - i]));
  return result;
}

// The same in x^2 with pairs of coefficients, which makes half as long a chain.
template <size_t kCount>
ONNXRUN_INLINE VecF polynomial_of_pairs(const VecF& x, const VecF& square, const float (&c)[kCount]) noexcept {
  static_assert(kCount % 2 == 0);
  VecF result = fma(x, VecF(c[kCount - 1]), VecF(c[kCount - 2]));
  ONNXRUN_UNROLL
  for (size_t i = kCount - 2; i > 0; i -= 2) {
    result = fma(square, result, fma(x, VecF(c[i - 1]), VecF(c[i - 2])));
  }
  return result;
}

// x = n log(2) + r with |r| <= log(2) / 2, and exp(r) - 1. Cody and Waite, "Software Manual for the Elementary
// Functions", 1980: log(2) in two parts, the first short enough for n times it to be exact. |x| < 2^15.
struct ExpParts {
  VecI n;
  VecF minus_one;
};
ONNXRUN_INLINE ExpParts exp_parts(const VecF& x) noexcept {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it leaves an integer in the low bits
  // (exp(r) - 1 - r) / r^2
  constexpr float kTail[] = {0.500000001f,   0.166666667f,   0.0416664568f,
                             0.00833331002f, 0.00139345419f, 0.000198919813f};
  const VecF rounded = fma(x, VecF(1.44269504f), VecF(kRound));
  const VecF n = rounded - VecF(kRound);
  const VecF r = fnma(n, VecF(-2.12194440e-4f), fnma(n, VecF(0.693359375f), x));
  const VecF square = r * r;
  return {as_int(rounded) - as_int(VecF(kRound)), fma(square, polynomial_of_pairs(r, square, kTail), r)};
}

// 2^n for -126 <= n <= 127.
ONNXRUN_INLINE VecF power_of_two(const VecI& n) noexcept { return as_float((n + VecI(127)) << 23); }

// x 2^n for normal x with |n| <= 252, rounded once.
ONNXRUN_INLINE VecF times_power_of_two(const VecF& x, const VecI& n) noexcept {
#if defined(ONNXRUN_SIMD_avx512)
  return _mm512_scalef_ps(x, _mm512_cvtepi32_ps(n));
#else
  const VecI half = n >> 1;
  return x * power_of_two(half) * power_of_two(n - half);
#endif
}

// At most 1 ULP.
ONNXRUN_INLINE VecF exp(const VecF& x) noexcept {
  // Beyond these bounds the result is infinity or rounds to 0.
  const ExpParts parts = exp_parts(at_most(at_least(x, VecF(-104.0f)), VecF(89.0f)));
  return times_power_of_two(parts.minus_one + VecF(1.0f), parts.n);
}

// exp(x) for x <= 0 (and NaN), 0 where that is not a normal number; at most 1 ULP.
ONNXRUN_INLINE VecF exp_of_negative(const VecF& x) noexcept {
  constexpr float kLeast = -87.3365402f;
  const ExpParts parts = exp_parts(at_least(x, VecF(kLeast)));
  const VecF scale = power_of_two(parts.n);
  return select(x < VecF(kLeast), VecF(0.0f), fma(scale, parts.minus_one, scale));
}

// exp(x) - 1 for x <= 0 (and NaN).
ONNXRUN_INLINE VecF expm1_of_negative(const VecF& x) noexcept {
  const ExpParts parts = exp_parts(at_least(x, VecF(-30.0f)));
  const VecF scale = power_of_two(parts.n);
  return fma(scale, parts.minus_one, scale - VecF(1.0f));
}

// log(1 + x) for 0 <= x <= 1, as 2 atanh(x / (2 + x)).
ONNXRUN_INLINE VecF log1p_of_fraction(const VecF& x) noexcept {
  // (atanh(s) / s - 1) / s^2 in s^2
  constexpr float kTail[] = {0.333333337f, 0.199998532f, 0.14296179f, 0.108532879f, 0.116121646f};
  const VecF s = x / (x + VecF(2.0f));
  const VecF square = s * s;
  const VecF twice = s + s;
  return fma(twice * square, polynomial(square, kTail), twice);
}

// From expm1(-2 |x|); at most 2.5 ULP.
ONNXRUN_INLINE VecF tanh(const VecF& x) noexcept {
  const VecF e = expm1_of_negative(xsimd::abs(x) * VecF(-2.0f));
  return (VecF(0.0f) - e) / (e + VecF(2.0f)) | sign_bit(x);
}

// 1 / (1 + exp(-x)), at most 2.2 ULP. Both sides of the fraction are 2^-24 of that, so that a single power of two takes
// exp(-x) to where the result rounds to 0; what the lower bound changes is lost beside 1.
ONNXRUN_INLINE VecF sigmoid(const VecF& x) noexcept {
  const ExpParts parts = exp_parts(at_most(at_least(VecF(0.0f) - x, VecF(-70.0f)), VecF(104.5f)));
  const VecF scale = power_of_two(parts.n - VecI(24));
  return VecF(0x1p-24f) / fma(parts.minus_one + VecF(1.0f), scale, VecF(0x1p-24f));
}

// log(1 + exp(x)), at most 2.6 ULP.
ONNXRUN_INLINE VecF softplus(const VecF& x) noexcept {
  return at_least(x, VecF(0.0f)) + log1p_of_fraction(exp(VecF(0.0f) - xsimd::abs(x)));
}

// erf(x / sqrt(2)) / 2 by a rational function in x^2 on |x| <= 5.7, where it reaches its limits; at most 5.5 ULP.
ONNXRUN_INLINE VecF half_erf(const VecF& x) noexcept {
  constexpr float kNumerator[] = {0.398942270f,    0.0344373723f,  0.00470650104f,
                                  0.000173748786f, 6.28913264e-6f, 2.16965901e-8f};
  constexpr float kDenominator[] = {1.0f, 0.252987936f, 0.0289632029f, 0.00191311447f, 7.47054899e-5f, 1.16198252e-6f};
  const VecF within = at_most(at_least(x, VecF(-5.7f)), VecF(5.7f));
  const VecF square = within * within;
  const VecF half = within * polynomial(square, kNumerator) / polynomial(square, kDenominator);
  return at_most(at_least(half, VecF(-0.5f)), VecF(0.5f));
}

// At most 5.5 ULP.
ONNXRUN_INLINE VecF erf(const VecF& x) noexcept { return VecF(2.0f) * half_erf(x * VecF(1.41421356f)); }

// x sigmoid(x), at most 3 ULP; where exp(x) is subnormal, within its last bit times x.
ONNXRUN_INLINE VecF silu(const VecF& x) noexcept { return x * sigmoid(x); }

// x tanh(softplus(x)) = x w / (w + 2) with w = e (e + 2), e = exp(x); from 20 on that is x. e and w are carried times
// 2^24, to be normal where e is not. At most 4.2 ULP; where exp(x) is subnormal, as silu.
ONNXRUN_INLINE VecF mish(const VecF& x) noexcept {
  const ExpParts parts = exp_parts(at_most(at_least(x, VecF(-104.0f)), VecF(20.0f)));
  const VecF scale = power_of_two(parts.n + VecI(24));
  const VecF e = fma(parts.minus_one, scale, scale);
  const VecF w = e * fma(e, VecF(0x1p-24f), VecF(2.0f));
  return x * (w / fma(w, VecF(0x1p-24f), VecF(2.0f)) * VecF(0x1p-24f));
}

// x (1 + erf(x / sqrt(2))) / 2: at most 4 ULP for x > 0, within 3e-7 |x| for x < 0.
ONNXRUN_INLINE VecF gelu_erf(const VecF& x) noexcept { return x * (VecF(0.5f) + half_erf(x)); }

// x sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3)); within 2e-7 |x|.
ONNXRUN_INLINE VecF gelu_tanh(const VecF& x) noexcept {
  return x * sigmoid(x * fma(x * x, VecF(0.0713548163f), VecF(1.59576912f)));
}

inline constexpr float kRightAngle = 1.57079633f;

// The angle whose sine is |x| for |x| <= 1/2, and otherwise the one whose sine is sqrt((1 - |x|) / 2): half of what the
// first is short of a right angle. NaN beyond |x| = 1.
struct ArcParts {
  Mask<float> is_large;
  VecF angle;
};
ONNXRUN_INLINE ArcParts arc_parts(const VecF& x) noexcept {
  // (asin(s) / s - 1) / s^2 in s^2
  constexpr float kTail[] = {0.166666657f, 0.0750009865f, 0.0445980281f, 0.0311161838f, 0.0170777533f, 0.0338059030f};
  const VecF magnitude = xsimd::abs(x);
  const Mask<float> is_large = magnitude > VecF(0.5f);
  const VecF square = select(is_large, (VecF(1.0f) - magnitude) * VecF(0.5f), magnitude * magnitude);
  const VecF sine = select(is_large, xsimd::sqrt(square), magnitude);
  return {is_large, fma(sine * square, polynomial(square, kTail), sine)};
}

// At most 2.4 ULP.
ONNXRUN_INLINE VecF asin(const VecF& x) noexcept {
  const auto [is_large, angle] = arc_parts(x);
  return select(is_large, fnma(angle, VecF(2.0f), VecF(kRightAngle)), angle) | sign_bit(x);
}

// At most 1.3 ULP.
ONNXRUN_INLINE VecF acos(const VecF& x) noexcept {
  const auto [is_large, angle] = arc_parts(x);
  const VecF twice = angle + angle;
  return select(is_large, select(x < VecF(0.0f), VecF(2 * kRightAngle) - twice, twice),
                VecF(kRightAngle) - (angle | sign_bit(x)));
}

ONNXRUN_INLINE VecF hard_sigmoid(const VecF& x, const VecF& alpha, const VecF& beta) noexcept {
  return at_most(at_least(fma(x, alpha, beta), VecF(0.0f)), VecF(1.0f));
}
ONNXRUN_INLINE VecF hard_swish(const VecF& x) noexcept { return x * hard_sigmoid(x, VecF(0.166666667f), VecF(0.5f)); }

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
