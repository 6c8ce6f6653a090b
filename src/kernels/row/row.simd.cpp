#include "kernels/row/row.h"

#include <utility>

#include "kernels/reduce/reduce.h"
#include "kernels/simd.h"
#include "kernels/vec_math.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {

extern const ReduceKernels kReduceKernels;

namespace {

constexpr size_t kLane = kLanes<float>;
constexpr float kInfinity = __builtin_inff();

// Lane i of the result is src[i * kStride]; reads nothing behind the last one.
template <int kStride>
ONNXRUN_INLINE VecF load_strided(const float* src) noexcept {
  if constexpr (kStride == 1) {
    return load(src);
  } else {
    static_assert(kStride == 2);
    constexpr int kHalf = static_cast<int>(kLane) / 2;
    const auto pick = [&]<int... i>(std::integer_sequence<int, i...>) ONNXRUN_INLINE_LAMBDA {
      return VecF(decltype(VecF::data)(
          __builtin_shufflevector(load(src).data, load(src + kLane - 1).data, (i < kHalf ? 2 * i : 2 * i + 1)...)));
    };
    return pick(std::make_integer_sequence<int, static_cast<int>(kLane)>());
  }
}

// dst[i] = f(dst[i], src[i * kStride]) for i < n.
template <int kStride, class F>
ONNXRUN_INLINE void combine_strided(float* dst, const float* src, size_t n, const F& f) noexcept {
  size_t i = 0;
  for (; i + kLane <= n; i += kLane) store(dst + i, f(load(dst + i), load_strided<kStride>(src + i * kStride)));
  if (i == n) return;
  alignas(64) float rest[kLane] = {};
  for (size_t k = 0; k < n - i; ++k) rest[k] = src[(i + k) * kStride];
  store_partial(dst + i, f(load_partial(dst + i, n - i), load(rest)), n - i);
}

template <class F>
ONNXRUN_INLINE void combine(float* dst, const float* src, ptrdiff_t stride, size_t n, const F& f) noexcept {
  if (stride == 1) return combine_strided<1>(dst, src, n, f);
  if (stride == 2) return combine_strided<2>(dst, src, n, f);
  alignas(64) float row[kLane] = {};
  for (size_t i = 0; i < n; i += kLane) {
    const size_t count = n - i < kLane ? n - i : kLane;
    for (size_t k = 0; k < count; ++k) row[k] = src[static_cast<ptrdiff_t>(i + k) * stride];
    store_partial(dst + i, f(load_partial(dst + i, count), load(row)), count);
  }
}

void max_strided(float* dst, const float* src, ptrdiff_t stride, size_t n) noexcept {
  combine(dst, src, stride, n, [](const VecF& x, const VecF& y) ONNXRUN_INLINE_LAMBDA { return max_or_nan(y, x); });
}

void add_mask(float* dst, const float* src, ptrdiff_t stride, size_t n) noexcept {
  const VecF forbidden(-kInfinity);
  combine(dst, src, stride, n,
          [&](const VecF& x, const VecF& y) ONNXRUN_INLINE_LAMBDA { return select(y == forbidden, forbidden, x + y); });
}

void sum_of_blocks(const float* src, float* dst, size_t n) noexcept {
  VecF sums[4] = {VecF(0), VecF(0), VecF(0), VecF(0)};
  for (; n >= 4; n -= 4, src += 4 * kLane) {
    ONNXRUN_UNROLL for (size_t k = 0; k < 4; ++k) sums[k] = sums[k] + load(src + k * kLane);
  }
  for (; n != 0; --n, src += kLane) sums[0] = sums[0] + load(src);
  store(dst, (sums[0] + sums[1]) + (sums[2] + sums[3]));
}

void square_sum_of_blocks(const float* src, float* dst, size_t n, const float* shift) noexcept {
  const VecF offset = load(shift);
  VecF sums[4] = {VecF(0), VecF(0), VecF(0), VecF(0)};
  const auto add = [&](VecF& sum, const float* from) ONNXRUN_INLINE_LAMBDA {
    const VecF x = load(from) - offset;
    sum = fma(x, x, sum);
  };
  for (; n >= 4; n -= 4, src += 4 * kLane) {
    ONNXRUN_UNROLL for (size_t k = 0; k < 4; ++k) add(sums[k], src + k * kLane);
  }
  for (; n != 0; --n, src += kLane) add(sums[0], src);
  store(dst, (sums[0] + sums[1]) + (sums[2] + sums[3]));
}

void max_of_blocks(const float* src, float* dst, size_t n) noexcept {
  VecF largest(-kInfinity);
  for (; n != 0; --n, src += kLane) largest = max_or_nan(load(src), largest);
  store(dst, largest);
}

void scale_shift(const float* src, float* dst, size_t n, float scale, float shift) noexcept {
  size_t i = 0;
  for (; i + kLane <= n; i += kLane) store(dst + i, fma(load(src + i), VecF(scale), VecF(shift)));
  for (; i < n; i += kLane) store_partial(dst + i, fma(load_partial(src + i, n - i), VecF(scale), VecF(shift)), n - i);
}

void scale_shift_each(const float* src, float* dst, size_t n, const float* scale, const float* shift) noexcept {
  size_t i = 0;
  for (; i + kLane <= n; i += kLane) store(dst + i, fma(load(src + i), load(scale + i), load(shift + i)));
  if (i == n) return;
  const size_t left = n - i;
  store_partial(dst + i, fma(load_partial(src + i, left), load_partial(scale + i, left), load_partial(shift + i, left)),
                left);
}

void scale_shift_blocks(const float* src, float* dst, size_t n, const float* scale, const float* shift) noexcept {
  const VecF factor = load(scale);
  const VecF offset = load(shift);
  for (; n != 0; --n, src += kLane, dst += kLane) store(dst, fma(load(src), factor, offset));
}

float sum(const float* src, size_t n) noexcept {
  VecF sums[4] = {VecF(0), VecF(0), VecF(0), VecF(0)};
  size_t i = 0;
  for (; i + 4 * kLane <= n; i += 4 * kLane) {
    ONNXRUN_UNROLL for (size_t k = 0; k < 4; ++k) sums[k] = sums[k] + load(src + i + k * kLane);
  }
  for (; i + kLane <= n; i += kLane) sums[0] = sums[0] + load(src + i);
  if (i < n) sums[1] = sums[1] + load_partial(src + i, n - i);
  return sum_lanes((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

float max(const float* src, size_t n) noexcept {
  float largest = -kInfinity;
  kReduceKernels.max.row(largest, src, n);
  return largest;
}

// The largest element but for NaN; -inf for none.
ONNXRUN_INLINE float largest_number(const float* src, size_t n) noexcept {
  VecF largest[2] = {VecF(-kInfinity), VecF(-kInfinity)};
  size_t i = 0;
  for (; i + 2 * kLane <= n; i += 2 * kLane) {
    ONNXRUN_UNROLL for (size_t k = 0; k < 2; ++k) largest[k] = xsimd::max(load(src + i + k * kLane), largest[k]);
  }
  for (; i + kLane <= n; i += kLane) largest[0] = xsimd::max(load(src + i), largest[0]);
  if (i < n) {
    const VecF rest = load_partial(src + i, n - i);
    largest[1] = xsimd::max(select(first_lanes(n - i), rest, VecF(-kInfinity)), largest[1]);
  }
  return join_lanes(xsimd::max(largest[0], largest[1]),
                    [](const VecF& x, const VecF& y) ONNXRUN_INLINE_LAMBDA { return VecF(xsimd::max(x, y)); });
}

// dst = exp(src - shift); returns sums by lanes.
ONNXRUN_INLINE VecF exp_along(const float* src, float* dst, size_t n, float shift) noexcept {
  VecF sums(0);
  size_t i = 0;
  for (; i + kLane <= n; i += kLane) {
    const VecF value = exp_of_negative(load(src + i) - VecF(shift));
    store(dst + i, value);
    sums = sums + value;
  }
  if (i == n) return sums;
  const VecF value = exp_of_negative(load_partial(src + i, n - i) - VecF(shift));
  store_partial(dst + i, value, n - i);
  return sums + select(first_lanes(n - i), value, VecF(0));
}

float exp_sum(const float* src, float* dst, size_t n, float shift) noexcept {
  return sum_lanes(exp_along(src, dst, n, shift));
}

// Several rows at a time, for the processor to work on the next ones while one is summed up.
void softmax(const float* src, float* dst, size_t rows, size_t n) noexcept {
  for (size_t row = 0; row < rows; row += kLane, src += kLane * n, dst += kLane * n) {
    const size_t some = rows - row < kLane ? rows - row : kLane;
    float largest[kLane];
    for (size_t r = 0; r < some; ++r) largest[r] = largest_number(src + r * n, n);
    VecF sums[kLane];
    for (VecF& sum : sums) sum = VecF(1);
    for (size_t r = 0; r < some; ++r) sums[r] = exp_along(src + r * n, dst + r * n, n, largest[r]);
    alignas(64) float factors[kLane];
    (VecF(1) / sums_of_lanes(sums)).store_aligned(factors);
    for (size_t r = 0; r < some; ++r) scale_shift(dst + r * n, dst + r * n, n, factors[r], 0);
  }
}

void exp_sum_each(const float* src, float* dst, size_t n, const float* shift, float* sums) noexcept {
  size_t i = 0;
  for (; i + kLane <= n; i += kLane) {
    const VecF value = exp_of_negative(load(src + i) - load(shift + i));
    store(dst + i, value);
    store(sums + i, load(sums + i) + value);
  }
  if (i == n) return;
  const size_t left = n - i;
  const VecF value = exp_of_negative(load_partial(src + i, left) - load_partial(shift + i, left));
  store_partial(dst + i, value, left);
  store_partial(sums + i, load_partial(sums + i, left) + value, left);
}

}  // namespace

extern const RowKernels kRowKernels;
constexpr RowKernels kRowKernels = {
    max_strided, add_mask,         sum_of_blocks,      max_of_blocks, square_sum_of_blocks,
    scale_shift, scale_shift_each, scale_shift_blocks, sum,           max,
    exp_sum,     softmax,          exp_sum_each};

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
