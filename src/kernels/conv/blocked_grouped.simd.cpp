#include "kernels/conv/blocked_grouped.h"

#include <array>
#include <utility>

#include "kernels/gemm/micro_kernel.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {
namespace {

constexpr size_t kWidth = kLanes<float>;
#if defined(ONNXRUN_SIMD_sse2)
constexpr int kMostDepthwise = 7, kMostAny = 4, kMostGrouped = 4;
#elif defined(ONNXRUN_SIMD_avx2)
constexpr int kMostDepthwise = 14, kMostAny = 8, kMostGrouped = 7;
#else
constexpr int kMostDepthwise = 14, kMostAny = 8, kMostGrouped = 12;
#endif

template <int kPixels>
ONNXRUN_INLINE void finish(const BlockedGroupedRow& row, const Vec<float>& bias, size_t column,
                           Vec<float> (&acc)[kPixels]) noexcept {
  const auto each = [&](auto f) ONNXRUN_INLINE_LAMBDA {
    ONNXRUN_UNROLL
    for (int p = 0; p < kPixels; ++p) f(p, acc[p]);
  };
  const ptrdiff_t at = static_cast<ptrdiff_t>(column) * row.dst_step;
  if (row.bias) {
    each([&](int, Vec<float>& x) ONNXRUN_INLINE_LAMBDA { x += bias; });
  }
  if (row.epilogue.add_residual) {
    each([&](int p, Vec<float>& x) ONNXRUN_INLINE_LAMBDA { x += load(row.residual + at + p * row.dst_step); });
  }
  activate(row.epilogue,
           [&](auto f) ONNXRUN_INLINE_LAMBDA { each([&](int, Vec<float>& x) ONNXRUN_INLINE_LAMBDA { f(x); }); });
  each([&](int p, Vec<float>& x) ONNXRUN_INLINE_LAMBDA { store(row.dst + at + p * row.dst_step, x); });
}

// kPixels outputs from `column` on, of kTaps columns of taps and kStride blocks from one to the next; 0: any.
template <int kTaps, int kStride, int kPixels>
void depthwise_tile(const BlockedGroupedRow& row, const Vec<float>& bias, size_t column) noexcept {
  const ptrdiff_t step = kStride > 0 ? static_cast<ptrdiff_t>(kStride * kWidth) : row.src_step;
  Vec<float> acc[kPixels];
  ONNXRUN_UNROLL
  for (int p = 0; p < kPixels; ++p) acc[p] = Vec<float>(0.0f);
  const float* src_row = row.src + static_cast<ptrdiff_t>(column) * step;
  const float* weight_row = row.weights;
  for (size_t ty = row.tap_rows; ty != 0; --ty) {
    const float* src = src_row;
    const auto tap = [&](size_t tx) ONNXRUN_INLINE_LAMBDA {
      const Vec<float> w = load(weight_row + tx * kWidth);
      ONNXRUN_UNROLL
      for (int p = 0; p < kPixels; ++p) acc[p] = fma(load(src + p * step), w, acc[p]);
      src += row.tap_column_step;
    };
    if constexpr (kTaps > 0) {
      ONNXRUN_UNROLL
      for (size_t tx = 0; tx < kTaps; ++tx) tap(tx);
    } else {
      for (size_t tx = 0; tx < row.tap_columns; ++tx) tap(tx);
    }
    src_row += row.tap_row_step;
    weight_row += row.weight_columns * kWidth;
  }
  finish<kPixels>(row, bias, column, acc);
}

// The same with taps of every channel of a group, kGroup of them.
template <int kGroup, int kPixels>
void grouped_tile(const BlockedGroupedRow& row, const Vec<float>& bias, size_t column) noexcept {
  Vec<float> acc[kPixels];
  ONNXRUN_UNROLL
  for (int p = 0; p < kPixels; ++p) acc[p] = Vec<float>(0.0f);
  const float* src_row = row.src + static_cast<ptrdiff_t>(column) * row.src_step;
  const float* weight_row = row.weights;
  for (size_t ty = row.tap_rows; ty != 0; --ty) {
    const float* src = src_row;
    const float* weights = weight_row;
    for (size_t tx = row.tap_columns; tx != 0; --tx) {
      Vec<float> x[kPixels];
      ONNXRUN_UNROLL
      for (int p = 0; p < kPixels; ++p) x[p] = load(src + p * row.src_step);
      const auto channel = [&]<int kChannel>(std::integral_constant<int, kChannel>) ONNXRUN_INLINE_LAMBDA {
        const Vec<float> w = load(weights + kChannel * kWidth);
        ONNXRUN_UNROLL
        for (int p = 0; p < kPixels; ++p) acc[p] = fma(repeat_lane<kGroup, kChannel>(x[p]), w, acc[p]);
      };
      [&]<int... kChannel>(std::integer_sequence<int, kChannel...>) ONNXRUN_INLINE_LAMBDA {
        (channel(std::integral_constant<int, kChannel>()), ...);
      }
      (std::make_integer_sequence<int, kGroup>());
      weights += kGroup * kWidth;
      src += row.tap_column_step;
    }
    src_row += row.tap_row_step;
    weight_row += row.weight_columns * kGroup * kWidth;
  }
  finish<kPixels>(row, bias, column, acc);
}

using Tile = void (*)(const BlockedGroupedRow&, const Vec<float>&, size_t) noexcept;

// Nearly equal parts of the row, each of at most kMost outputs; tiles[i] computes i + 1 of them.
template <size_t kMost>
ONNXRUN_INLINE void run_tiles(const BlockedGroupedRow& row, const std::array<Tile, kMost>& tiles) noexcept {
  Vec<float> bias(0.0f);
  if (row.bias) bias = row.bias_count >= kWidth ? load(row.bias) : load_partial(row.bias, row.bias_count);
  for (size_t column = 0, left = (row.count + kMost - 1) / kMost; left != 0; --left) {
    const size_t pixels = left == 1 ? row.count - column : (row.count - column + left - 1) / left;
    tiles[pixels - 1](row, bias, column);
    column += pixels;
  }
}

template <int kTaps, int kStride>
void run_depthwise(const BlockedGroupedRow& row) noexcept {
  constexpr int kMost = kTaps == 0 ? kMostAny : kMostDepthwise;
  static constexpr auto kTiles = []<int... kBefore>(std::integer_sequence<int, kBefore...>) {
    return std::array<Tile, sizeof...(kBefore)>{depthwise_tile<kTaps, kStride, kBefore + 1>...};
  }
  (std::make_integer_sequence<int, kMost>());
  run_tiles(row, kTiles);
}

template <int kGroup>
void run_grouped(const BlockedGroupedRow& row) noexcept {
  static constexpr auto kTiles = []<int... kBefore>(std::integer_sequence<int, kBefore...>) {
    return std::array<Tile, sizeof...(kBefore)>{grouped_tile<kGroup, kBefore + 1>...};
  }
  (std::make_integer_sequence<int, kMostGrouped>());
  run_tiles(row, kTiles);
}

void run_depthwise_row(const BlockedGroupedRow& row) noexcept {
  const size_t blocks = static_cast<size_t>(row.src_step) / kWidth;
  if (row.tap_columns == 3 && blocks == 1) return run_depthwise<3, 1>(row);
  if (row.tap_columns == 3 && blocks == 2) return run_depthwise<3, 2>(row);
  if (row.tap_columns == 5 && blocks == 1) return run_depthwise<5, 1>(row);
  if (row.tap_columns == 5 && blocks == 2) return run_depthwise<5, 2>(row);
  run_depthwise<0, 0>(row);
}

void run_grouped_row(const BlockedGroupedRow& row) noexcept {
  if (row.width == 2) return run_grouped<2>(row);
  if constexpr (kWidth > 4) {
    if (row.width == 4) return run_grouped<4>(row);
  }
  if constexpr (kWidth > 8) run_grouped<8>(row);
}

}  // namespace

extern const BlockedGroupedKernels kBlockedGroupedKernels;
const BlockedGroupedKernels kBlockedGroupedKernels = {run_depthwise_row, run_grouped_row};

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
