#include "kernels/normalize/normalize.h"

#include "kernels/simd.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {
namespace {

using VecF = Vec<float>;
constexpr size_t kLane = kLanes<float>;
constexpr size_t kChains = 4;

float square_sum(const float* src, size_t n, float shift) noexcept {
  VecF sums[kChains] = {VecF(0), VecF(0), VecF(0), VecF(0)};
  const VecF center(shift);
  size_t i = 0;
  for (; i + kChains * kLane <= n; i += kChains * kLane) {
    ONNXRUN_UNROLL
    for (size_t k = 0; k < kChains; ++k) {
      const VecF distance = load(src + i + k * kLane) - center;
      sums[k] = fma(distance, distance, sums[k]);
    }
  }
  for (; i + kLane <= n; i += kLane) {
    const VecF distance = load(src + i) - center;
    sums[0] = fma(distance, distance, sums[0]);
  }
  float sum = sum_lanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
  for (; i < n; ++i) sum += (src[i] - shift) * (src[i] - shift);
  return sum;
}

// A vector of an operand that moves along or stays.
template <bool kMoves>
ONNXRUN_INLINE VecF operand(const float* src, size_t i, size_t lanes) noexcept {
  if constexpr (!kMoves) return VecF(src[0]);
  return lanes == kLane ? load(src + i) : load_partial(src + i, lanes);
}

template <bool kScaleMoves, bool kBiasMoves>
void apply_steps(const float* src, float* dst, size_t n, float shift, float factor, const float* scale,
                 const float* bias) noexcept {
  const VecF center(shift), unit(factor);
  const auto at = [&](const VecF& x, size_t i, size_t lanes) {
    return fma((x - center) * unit, operand<kScaleMoves>(scale, i, lanes), operand<kBiasMoves>(bias, i, lanes));
  };
  size_t i = 0;
  for (; i + kLane <= n; i += kLane) store(dst + i, at(load(src + i), i, kLane));
  if (i < n) store_partial(dst + i, at(load_partial(src + i, n - i), i, n - i), n - i);
}

void apply(const float* src, float* dst, size_t n, float shift, float factor, const float* scale, ptrdiff_t scale_step,
           const float* bias, ptrdiff_t bias_step) noexcept {
  static constexpr float kNoBias = 0;
  if (bias == nullptr) {
    bias = &kNoBias;
    bias_step = 0;
  }
  if (scale_step != 0 && bias_step != 0) return apply_steps<true, true>(src, dst, n, shift, factor, scale, bias);
  if (scale_step != 0) return apply_steps<true, false>(src, dst, n, shift, factor, scale, bias);
  if (bias_step != 0) return apply_steps<false, true>(src, dst, n, shift, factor, scale, bias);
  apply_steps<false, false>(src, dst, n, shift, factor, scale, bias);
}

// The sum of f(vector, its lanes) along a row, two chains; f gives 0 for lanes that are not there.
template <class F>
ONNXRUN_INLINE VecF sum_along(const float* src, size_t n, F f) noexcept {
  VecF sums[2] = {VecF(0), VecF(0)};
  size_t i = 0;
  for (; i + 2 * kLane <= n; i += 2 * kLane) {
    sums[0] += f(load(src + i), kLane);
    sums[1] += f(load(src + i + kLane), kLane);
  }
  for (; i < n; i += kLane) {
    const size_t lanes = n - i < kLane ? n - i : kLane;
    sums[0] += f(lanes == kLane ? load(src + i) : load_partial(src + i, lanes), lanes);
  }
  return sums[0] + sums[1];
}

void rows(const NormalizedRows& args) noexcept {
  const size_t n = args.n;
  const auto count = static_cast<double>(n);
  for (size_t row = 0; row < args.rows; row += kLane) {
    const size_t some = args.rows - row < kLane ? args.rows - row : kLane;
    const float* src = args.src + row * n;
    alignas(64) float mean[kLane] = {}, inverse[kLane];
    VecF sums[kLane];
    for (VecF& sum : sums) sum = VecF(0);
    if (args.is_centered) {
      for (size_t r = 0; r < some; ++r) sums[r] = sum_along(src + r * n, n, [](const VecF& x, size_t) { return x; });
      (sums_of_lanes(sums) / VecF(static_cast<float>(n))).store_aligned(mean);
    }
    for (size_t r = 0; r < some; ++r) {
      const VecF center(mean[r]);
      sums[r] = sum_along(src + r * n, n, [&](const VecF& x, size_t lanes) ONNXRUN_INLINE_LAMBDA {
        const VecF distance = x - center;
        const VecF square = distance * distance;
        return lanes == kLane ? square : select(first_lanes(lanes), square, VecF(0));
      });
    }
    sums_of_lanes(sums).store_aligned(inverse);
    for (size_t r = 0; r < kLane; ++r) {
      inverse[r] = static_cast<float>(1 / __builtin_sqrt(static_cast<double>(inverse[r]) / count + args.epsilon));
    }
    for (size_t r = 0; r < some; ++r) {
      apply(src + r * n, args.dst + (row + r) * n, n, mean[r], inverse[r], args.scale, 1, args.bias, 1);
      if (args.mean) args.mean[row + r] = mean[r];
      if (args.inverse) args.inverse[row + r] = inverse[r];
    }
  }
}

}  // namespace

extern const NormalizeKernels kNormalizeKernels;
constexpr NormalizeKernels kNormalizeKernels = {square_sum, apply, rows};

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
