#include "kernels/conv/blocked_depthwise.h"

#include "kernels/gemm/micro_kernel.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {
namespace {

constexpr size_t kWidth = kLanes<float>;
#if defined(ONNXRUN_SIMD_sse2)
constexpr int kMost = 4;
#else
constexpr int kMost = 8;
#endif

// kPixels outputs from `column` on.
template <int kPixels>
ONNXRUN_INLINE void depthwise_tile(const BlockedDepthwiseRow& row, const Vec<float>& bias, size_t column) noexcept {
  Vec<float> acc[kPixels];
  ONNXRUN_UNROLL
  for (int p = 0; p < kPixels; ++p) acc[p] = Vec<float>(0.0f);
  const float* src_row = row.src + static_cast<ptrdiff_t>(column) * row.src_step;
  const float* weight_row = row.weights;
  for (size_t ty = row.tap_rows; ty != 0; --ty) {
    const float* src = src_row;
    const float* weights = weight_row;
    for (size_t tx = row.tap_columns; tx != 0; --tx) {
      const Vec<float> w = load(weights);
      ONNXRUN_UNROLL
      for (int p = 0; p < kPixels; ++p) acc[p] = fma(load(src + p * row.src_step), w, acc[p]);
      src += row.tap_column_step;
      weights += kWidth;
    }
    src_row += row.tap_row_step;
    weight_row += row.weight_columns * kWidth;
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

void run_row(const BlockedDepthwiseRow& row) noexcept {
  Vec<float> bias(0.0f);
  if (row.bias) bias = row.bias_count >= kWidth ? load(row.bias) : load_partial(row.bias, row.bias_count);
  size_t column = 0;
  for (; row.count - column >= kMost; column += kMost) depthwise_tile<kMost>(row, bias, column);
  if (row.count - column >= kMost / 2) {
    depthwise_tile<kMost / 2>(row, bias, column);
    column += kMost / 2;
  }
  for (; row.count - column >= 2; column += 2) depthwise_tile<2>(row, bias, column);
  if (column < row.count) depthwise_tile<1>(row, bias, column);
}

}  // namespace

extern const BlockedDepthwiseKernels kBlockedDepthwiseKernels;
const BlockedDepthwiseKernels kBlockedDepthwiseKernels = {run_row};

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
