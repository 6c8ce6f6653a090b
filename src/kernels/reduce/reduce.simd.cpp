#include "kernels/reduce/reduce.h"

#include "kernels/simd.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {
namespace {

constexpr size_t kChains = 4;
constexpr size_t kRowsAtOnce = 8;  // of columns: as many streams, and a visit of the totals for each

ONNXRUN_INLINE Vec<float> load_as(const float* src, float) noexcept { return load(src); }
ONNXRUN_INLINE Vec<double> load_as(const float* src, double) noexcept { return load_widened(src); }

// f(total, x) for vectors of totals and of elements, and for one of each.
struct Sum {
  using Total = double;
  static constexpr Total kStart = 0;
  template <class V>
  static ONNXRUN_INLINE V join(const V& total, const V& x) noexcept {
    return total + x;
  }
  template <class V>
  static ONNXRUN_INLINE V add(const V& total, const V& x) noexcept {
    return total + x;
  }
};

struct Magnitudes : Sum {
  static ONNXRUN_INLINE double add(double total, double x) noexcept { return total + __builtin_fabs(x); }
  static ONNXRUN_INLINE Vec<double> add(const Vec<double>& total, const Vec<double>& x) noexcept {
    return total + xsimd::abs(x);
  }
};

struct Squares : Sum {
  template <class V>
  static ONNXRUN_INLINE V add(const V& total, const V& x) noexcept {
    return total + x * x;
  }
};

struct Product {
  using Total = double;
  static constexpr Total kStart = 1;
  template <class V>
  static ONNXRUN_INLINE V join(const V& total, const V& x) noexcept {
    return total * x;
  }
  template <class V>
  static ONNXRUN_INLINE V add(const V& total, const V& x) noexcept {
    return total * x;
  }
};

struct Max {
  using Total = float;
  static constexpr Total kStart = -__builtin_inff();
  static ONNXRUN_INLINE float add(float total, float x) noexcept { return x > total || x != x ? x : total; }
  static ONNXRUN_INLINE Vec<float> add(const Vec<float>& total, const Vec<float>& x) noexcept {
    return max_or_nan(x, total);
  }
  template <class V>
  static ONNXRUN_INLINE V join(const V& total, const V& x) noexcept {
    return add(total, x);
  }
};

struct Min {
  using Total = float;
  static constexpr Total kStart = __builtin_inff();
  static ONNXRUN_INLINE float add(float total, float x) noexcept { return x < total || x != x ? x : total; }
  static ONNXRUN_INLINE Vec<float> add(const Vec<float>& total, const Vec<float>& x) noexcept {
    return min_or_nan(x, total);
  }
  template <class V>
  static ONNXRUN_INLINE V join(const V& total, const V& x) noexcept {
    return add(total, x);
  }
};

template <class Op>
void row(typename Op::Total& total, const float* src, size_t n) noexcept {
  using T = typename Op::Total;
  constexpr size_t kWidth = kLanes<T>;
  constexpr bool kMasks = sizeof(T) == sizeof(float);  // the elements behind the last vector make one more
  size_t i = 0;
  if (n >= kWidth || kMasks) {
    Vec<T> chains[kChains];
    for (Vec<T>& chain : chains) chain = Vec<T>(Op::kStart);
    for (; i + kChains * kWidth <= n; i += kChains * kWidth) {
      ONNXRUN_UNROLL
      for (size_t k = 0; k < kChains; ++k) chains[k] = Op::add(chains[k], load_as(src + i + k * kWidth, T{}));
    }
    for (; i + kWidth <= n; i += kWidth) chains[0] = Op::add(chains[0], load_as(src + i, T{}));
    if constexpr (kMasks) {
      if (i < n) {
        const Vec<T> rest = load_partial(src + i, n - i);
        chains[1] = Op::add(chains[1], select(first_lanes(n - i), rest, Vec<T>(Op::kStart)));
        i = n;
      }
    }
    const Vec<T> joined = Op::join(Op::join(chains[0], chains[1]), Op::join(chains[2], chains[3]));
    total = Op::join(total, join_lanes(joined, [](const Vec<T>& a, const Vec<T>& b)
                                                   ONNXRUN_INLINE_LAMBDA { return Vec<T>(Op::join(a, b)); }));
  }
  for (; i < n; ++i) total = Op::add(total, static_cast<T>(src[i]));
}

// kRows rows to kVectors vectors of totals.
template <class Op, size_t kRows>
void some_rows(typename Op::Total* totals, const float* src, ptrdiff_t row_step, size_t n) noexcept {
  using T = typename Op::Total;
  constexpr size_t kWidth = kLanes<T>;
  size_t j = 0;
  for (; j + kWidth <= n; j += kWidth) {
    Vec<T> total = load(totals + j);
    ONNXRUN_UNROLL
    for (size_t r = 0; r < kRows; ++r) {
      total = Op::add(total, load_as(src + static_cast<ptrdiff_t>(r) * row_step + j, T{}));
    }
    store(totals + j, total);
  }
  for (; j < n; ++j) {
    for (size_t r = 0; r < kRows; ++r) {
      totals[j] = Op::add(totals[j], static_cast<T>(src[static_cast<ptrdiff_t>(r) * row_step + j]));
    }
  }
}

// The sum of kRowsAtOnce rows in float, in pairs: three roundings, and a conversion for all of them.
template <>
void some_rows<Sum, kRowsAtOnce>(double* totals, const float* src, ptrdiff_t row_step, size_t n) noexcept {
  static_assert(kRowsAtOnce == 8);
  constexpr size_t kWidth = kLanes<float>, kHalf = kLanes<double>;
  const auto sum = [&](size_t j, auto read) ONNXRUN_INLINE_LAMBDA {
    const auto x = [&](ptrdiff_t r) ONNXRUN_INLINE_LAMBDA { return read(src + r * row_step + j); };
    return ((x(0) + x(1)) + (x(2) + x(3))) + ((x(4) + x(5)) + (x(6) + x(7)));
  };
  size_t j = 0;
  for (; j + kWidth <= n; j += kWidth) {
    alignas(64) float sums[kWidth];
    sum(j, [](const float* at) ONNXRUN_INLINE_LAMBDA { return load(at); }).store_aligned(sums);
    store(totals + j, load(totals + j) + load_widened(sums));
    store(totals + j + kHalf, load(totals + j + kHalf) + load_widened(sums + kHalf));
  }
  for (; j < n; ++j)
    totals[j] += static_cast<double>(sum(j, [](const float* at) ONNXRUN_INLINE_LAMBDA { return *at; }));
}

template <class Op>
void columns(typename Op::Total* totals, const float* src, ptrdiff_t row_step, size_t rows, size_t n) noexcept {
  for (; rows >= kRowsAtOnce; rows -= kRowsAtOnce, src += static_cast<ptrdiff_t>(kRowsAtOnce) * row_step) {
    some_rows<Op, kRowsAtOnce>(totals, src, row_step, n);
  }
  for (; rows > 0; --rows, src += row_step) some_rows<Op, 1>(totals, src, row_step, n);
}

template <class Op>
constexpr ReduceKernels::Functions<typename Op::Total> functions() {
  return {row<Op>, columns<Op>};
}

}  // namespace

extern const ReduceKernels kReduceKernels;
constexpr ReduceKernels kReduceKernels = {functions<Sum>(),     functions<Magnitudes>(), functions<Squares>(),
                                          functions<Product>(), functions<Max>(),        functions<Min>()};

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
