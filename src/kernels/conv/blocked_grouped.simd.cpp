#include "kernels/conv/blocked_grouped.h"

#include <array>
#include <utility>

#include "kernels/gemm/micro_kernel.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {
namespace {

constexpr size_t kWidth = kLanes<float>;
#if defined(ONNXRUN_SIMD_sse2)
constexpr int kMostDepthwise = 4, kMostGrouped = 4;
#elif defined(ONNXRUN_SIMD_avx2)
constexpr int kMostDepthwise = 8, kMostGrouped = 6;
#else
constexpr int kMostDepthwise = 8, kMostGrouped = 8;
#endif

// kPixels outputs from `column` on.
template <bool kDepthwise, int kPixels>
void grouped_tile(const BlockedGroupedRow& row, const Vec<float>& bias, const int32_t* indices,
                  size_t column) noexcept {
  Vec<float> acc[kPixels];
  ONNXRUN_UNROLL
  for (int p = 0; p < kPixels; ++p) acc[p] = Vec<float>(0.0f);
  const float* src_row = row.src + static_cast<ptrdiff_t>(column) * row.src_step;
  const float* weight_row = row.weights;
  for (size_t ty = row.tap_rows; ty != 0; --ty) {
    const float* src = src_row;
    const float* weights = weight_row;
    for (size_t tx = row.tap_columns; tx != 0; --tx) {
      if constexpr (kDepthwise) {
        const Vec<float> w = load(weights);
        ONNXRUN_UNROLL
        for (int p = 0; p < kPixels; ++p) acc[p] = fma(load(src + p * row.src_step), w, acc[p]);
        weights += kWidth;
      } else {
        Vec<float> x[kPixels];
        ONNXRUN_UNROLL
        for (int p = 0; p < kPixels; ++p) x[p] = load(src + p * row.src_step);
        const int32_t* index = indices;
        for (size_t c = row.width; c != 0; --c) {
          const Vec<float> w = load(weights);
          ONNXRUN_UNROLL
          for (int p = 0; p < kPixels; ++p) acc[p] = fma(permute(x[p], index), w, acc[p]);
          weights += kWidth;
          index += kWidth;
        }
      }
      src += row.tap_column_step;
    }
    src_row += row.tap_row_step;
    weight_row += row.weight_columns * row.width * kWidth;
  }
  const auto each = [&](auto f) ONNXRUN_INLINE_LAMBDA {
    ONNXRUN_UNROLL
    for (int p = 0; p < kPixels; ++p) f(p, acc[p]);
  };
  const size_t at = column * kWidth;
  if (row.bias) {
    each([&](int, Vec<float>& x) ONNXRUN_INLINE_LAMBDA { x += bias; });
  }
  if (row.epilogue.add_residual) {
    each([&](int p, Vec<float>& x)
             ONNXRUN_INLINE_LAMBDA { x += load(row.residual + at + static_cast<size_t>(p) * kWidth); });
  }
  activate(row.epilogue,
           [&](auto f) ONNXRUN_INLINE_LAMBDA { each([&](int, Vec<float>& x) ONNXRUN_INLINE_LAMBDA { f(x); }); });
  each([&](int p, Vec<float>& x) ONNXRUN_INLINE_LAMBDA { store(row.dst + at + static_cast<size_t>(p) * kWidth, x); });
}

using GroupedTile = void (*)(const BlockedGroupedRow&, const Vec<float>&, const int32_t*, size_t) noexcept;

// [pixels - 1]
template <bool kDepthwise, int... kBefore>
constexpr std::array<GroupedTile, sizeof...(kBefore)> grouped_tiles(std::integer_sequence<int, kBefore...>) {
  return {grouped_tile<kDepthwise, kBefore + 1>...};
}

template <bool kDepthwise>
void run_row(const BlockedGroupedRow& row) noexcept {
  constexpr int kMost = kDepthwise ? kMostDepthwise : kMostGrouped;
  Vec<float> bias(0.0f);
  if (row.bias) bias = row.bias_count >= kWidth ? load(row.bias) : load_partial(row.bias, row.bias_count);
  // For channel c of a group, each lane's place of it.
  alignas(64) int32_t indices[kWidth * kWidth];
  for (size_t c = 0; !kDepthwise && c < row.width; ++c) {
    for (size_t lane = 0; lane < kWidth; ++lane) {
      indices[c * kWidth + lane] = static_cast<int32_t>(lane / row.width * row.width + c);
    }
  }
  static constexpr auto kTiles = grouped_tiles<kDepthwise>(std::make_integer_sequence<int, kMost>());
  const size_t tiles = (row.count + kMost - 1) / kMost;
  for (size_t tile = 0, column = 0; tile < tiles; ++tile) {
    const size_t pixels = row.count / tiles + (tile < row.count % tiles ? 1 : 0);
    kTiles[pixels - 1](row, bias, indices, column);
    column += pixels;
  }
}

}  // namespace

extern const BlockedGroupedKernels kBlockedGroupedKernels;
const BlockedGroupedKernels kBlockedGroupedKernels = {run_row<true>, run_row<false>};

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
