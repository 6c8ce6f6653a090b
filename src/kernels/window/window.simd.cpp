#include "kernels/window/window.h"

#include "kernels/simd.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {
namespace {

using VecF = Vec<float>;
constexpr size_t kLane = kLanes<float>;

struct Max {
  static constexpr float kNone = WindowKernels::kNoMax;
  static ONNXRUN_INLINE VecF join(const VecF& x, const VecF& y) noexcept { return max_or_nan(y, x); }
  static ONNXRUN_INLINE float join(float x, float y) noexcept { return y > x || y != y ? y : x; }
};
struct Sum {
  static constexpr float kNone = WindowKernels::kNoSum;
  template <class T>
  static ONNXRUN_INLINE T join(const T& x, const T& y) noexcept {
    return x + y;
  }
};

// x / divisor, rounded as a division is: the product with the rounded reciprocal corrected by its remainder (Markstein,
// "Computation of elementary functions on the IBM RISC System/6000 processor", 1990).
ONNXRUN_INLINE VecF quotient(const VecF& x, const VecF& divisor, const VecF& reciprocal) noexcept {
#if defined(ONNXRUN_SIMD_sse2)
  static_cast<void>(reciprocal);
  return x / divisor;
#else
  const VecF near = x * reciprocal;
  const VecF result = fma(fnma(near, divisor, x), reciprocal, near);
  return select(result == result, result, near);  // infinities have no remainder
#endif
}

// The rows of a column joined, of all columns.
template <class Op>
ONNXRUN_INLINE void join_rows(const WindowRow& row, float* dst) noexcept {
  const auto joined = [&](auto read) ONNXRUN_INLINE_LAMBDA {
    VecF x = row.row_count > 0 ? read(row.src + row.rows[0]) : VecF(Op::kNone);
    for (size_t r = 1; r < row.row_count; ++r) x = Op::join(x, read(row.src + row.rows[r]));
    return x;
  };
  size_t i = 0;
  for (; i + kLane <= row.width; i += kLane) {
    store(dst + i, joined([&](const float* src) ONNXRUN_INLINE_LAMBDA { return load(src + i); }));
  }
  if (const size_t left = row.width - i; left > 0) {
    const VecF x = joined([&](const float* src) ONNXRUN_INLINE_LAMBDA { return load_partial(src + i, left); });
    store_partial(dst + i, x, left);
  }
}

// The columns of each output joined.
template <class Op, size_t kStride>
ONNXRUN_INLINE void join_columns(const WindowRow& row, const float* from) noexcept {
  const auto read = [&](const float* src) ONNXRUN_INLINE_LAMBDA {
    return kStride == 1 ? load(src) : even_lanes(load(src), load(src + kLane));
  };
  for (size_t i = 0; i < row.count; i += kLane) {
    const float* src = from + i * kStride;
    VecF x = read(src);
    for (size_t tap = 1; tap < row.taps; ++tap) x = Op::join(x, read(src + tap * row.dilation));
    if (const size_t left = row.count - i; left >= kLane) {
      if (row.divisors) x = quotient(x, load(row.divisors + i), load(row.reciprocals + i));
      store(row.dst + i, x);
    } else {
      if (row.divisors) {
        x = quotient(x, load_partial(row.divisors + i, left), load_partial(row.reciprocals + i, left));
      }
      store_partial(row.dst + i, x, left);
    }
  }
}

template <class Op>
void window(const WindowRow& row, float* buffer) noexcept {
  join_rows<Op>(row, buffer + row.before);
  const float* from = buffer + row.skipped;
  if (row.stride == 1) return join_columns<Op, 1>(row, from);
  if (row.stride == 2) return join_columns<Op, 2>(row, from);
  for (size_t i = 0; i < row.count; ++i) {
    const float* src = from + i * row.stride;
    float x = src[0];
    for (size_t tap = 1; tap < row.taps; ++tap) x = Op::join(x, src[tap * row.dilation]);
    row.dst[i] = row.divisors ? x / row.divisors[i] : x;
  }
}

// Output i of a row of blocks, the rows of each column joined first. kRows and kTaps: all of them, inside the input;
// 0: those that are.
template <class Op, size_t kRows = 0, size_t kTaps = 0>
ONNXRUN_INLINE VecF block_output(const WindowRow& row, const float* const* rows, size_t i) noexcept {
  constexpr bool kKnown = kRows > 0;
  const size_t first = i * row.stride + row.skipped - row.before;  // wraps around before the input
  VecF x(Op::kNone);
  bool is_first = true;
  const auto add_column = [&](size_t column) ONNXRUN_INLINE_LAMBDA {
    VecF y = load(rows[0] + column * kLane);
    if constexpr (kKnown) {
      ONNXRUN_UNROLL
      for (size_t r = 1; r < kRows; ++r) y = Op::join(y, load(rows[r] + column * kLane));
    } else {
      for (size_t r = 1; r < row.row_count; ++r) y = Op::join(y, load(rows[r] + column * kLane));
    }
    x = is_first ? y : Op::join(x, y);
    is_first = false;
  };
  if constexpr (kKnown) {
    ONNXRUN_UNROLL
    for (size_t tap = 0; tap < kTaps; ++tap) add_column(first + tap * row.dilation);
  } else {
    for (size_t tap = 0; tap < row.taps; ++tap) {
      if (const size_t column = first + tap * row.dilation; column < row.width) add_column(column);
    }
  }
  if (row.divisors) x = quotient(x, VecF(row.divisors[i]), VecF(row.reciprocals[i]));
  return x;
}

// Windows that share few columns, each on its own.
template <class Op, size_t kRows, size_t kTaps>
void few_blocks(const WindowRow& args) noexcept {
  const WindowRow row = args;  // stores could change what is not a copy
  const float* rows[kRows];
  for (size_t r = 0; r < kRows; ++r) rows[r] = row.src + row.rows[r] * static_cast<ptrdiff_t>(kLane);
  size_t i = 0;
  for (; i < row.inside_begin; ++i) store(row.dst + i * kLane, block_output<Op>(row, rows, i));
  for (; i < row.inside_end; ++i) store(row.dst + i * kLane, block_output<Op, kRows, kTaps>(row, rows, i));
  for (; i < row.count; ++i) store(row.dst + i * kLane, block_output<Op>(row, rows, i));
}

template <class Op>
void window_blocks(const WindowRow& row, float* buffer) noexcept {
  constexpr ptrdiff_t kElement = kLane;
  using FewBlocks = void (*)(const WindowRow&) noexcept;
  static constexpr FewBlocks kFew[3][2] = {{few_blocks<Op, 1, 2>, few_blocks<Op, 1, 3>},
                                           {few_blocks<Op, 2, 2>, few_blocks<Op, 2, 3>},
                                           {few_blocks<Op, 3, 2>, few_blocks<Op, 3, 3>}};
  if (row.stride > 1 && row.row_count >= 1 && row.row_count <= 3 && (row.taps == 2 || row.taps == 3)) {
    return kFew[row.row_count - 1][row.taps - 2](row);
  }
  float* joined = buffer + row.before * kLane;
  for (size_t i = 0; i < row.width; ++i) {
    const float* src = row.src + i * kLane;
    VecF x = row.row_count > 0 ? load(src + row.rows[0] * kElement) : VecF(Op::kNone);
    for (size_t r = 1; r < row.row_count; ++r) x = Op::join(x, load(src + row.rows[r] * kElement));
    store(joined + i * kLane, x);
  }
  for (size_t i = 0; i < row.count; ++i) {
    const float* src = buffer + (row.skipped + i * row.stride) * kLane;
    VecF x = load(src);
    for (size_t tap = 1; tap < row.taps; ++tap) x = Op::join(x, load(src + tap * row.dilation * kLane));
    if (row.divisors) x = quotient(x, VecF(row.divisors[i]), VecF(row.reciprocals[i]));
    store(row.dst + i * kLane, x);
  }
}

}  // namespace

extern const WindowKernels kWindowKernels;
constexpr WindowKernels kWindowKernels = {window<Max>, window<Sum>, window_blocks<Max>, window_blocks<Sum>};

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
