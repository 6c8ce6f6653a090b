#pragma once

#include "kernels/conv/blocked_conv.h"

namespace onnxrun {

struct WinogradKernels;

// Where patches of m x m outputs lie: patch_rows x patch_columns for each remainder modulo the dilation, these along
// the columns and then along the rows.
struct WinogradGrid {
  size_t row_step = 1, column_step = 1;  // the dilation
  size_t patch_rows = 0, patch_columns = 0;

  size_t count() const { return row_step * patch_rows * column_step * patch_columns; }
};

// 3x3 convolutions of stride 1 on channel-blocked maps by Winograd's minimal filtering F(m x m, 3 x 3), m = 2 or 4:
// Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", arXiv 1509.09308. The points are 0, 1, -1,
// infinity for m = 2; 0, +-sqrt(1/2), +-sqrt(2), infinity for m = 4, whose RMS error is 3 to 6 times that of the direct
// sums. Weights are transformed in double. A pure function of shape and instruction set, like BlockedConvPlan.
//
// A dilated convolution is several ordinary ones, each on every dilation-th row and column: a patch then takes its rows
// and columns that far apart.
//
// Either run_winograd_input transforms the whole input to a buffer that all workers see, tile by tile, before the tiles
// of run_winograd, or those transform their part themselves.
struct WinogradPlan {
  ConvShape shape;
  size_t output[2] = {0, 0};  // rows, columns
  size_t input_tile_count = 0;
  size_t tile_count = 0;
  size_t shared_bytes = 0;
  size_t scratch_bytes = 0;
  size_t packed_weight_bytes = 0;
  size_t panel_count = 0;  // units of pack_winograd_weights

  // For the implementation.
  const WinogradKernels* kernels = nullptr;
  size_t block = 0;
  size_t m = 0;       // outputs of a patch along an axis
  size_t points = 0;  // (m + 2)^2
  size_t in_blocks = 0, out_blocks = 0;
  size_t k = 0;  // input channels, whole blocks
  WinogradGrid grid;
  size_t patch_count = 0;                // of an image
  size_t part_size = 0, part_count = 0;  // patches that are computed together
  size_t panel_tile = 0, panel_tiles = 0;
  size_t input_step = 0, sum_step = 0;  // floats from one point's values to the next

  static constexpr size_t kVectors = 2;  // output blocks of a panel

  // Weights [M, C, 1, 3, 3] in front of those of a panel; of panel_count: all.
  size_t weights_before(size_t panel) const {
    const size_t channel = panel * kVectors * block;
    return (channel < shape.out_channels ? channel : shape.out_channels) * shape.in_channels * shape.kernel[1] *
           shape.kernel[2];
  }
};

// Whether Winograd is worth it: enough patches to share the weights of each point, which are more than the direct
// convolution's; not too many of these; and far fewer multiplications than the taps that read the input, which few are
// where the dilation is large. Returns m, or 0.
size_t winograd_tile(const ConvShape& shape);

WinogradPlan make_winograd_plan(const ConvShape& shape, size_t m);

// Panels [begin, end) of plan.panel_count from their weights, those behind plan.weights_before(begin), at any address;
// panels are independent.
void pack_winograd_weights(const WinogradPlan& plan, const float* weights, float* dst, size_t begin, size_t end);

// Thread-safe for distinct tiles.
void run_winograd_input(const WinogradPlan& plan, const BlockedConvArgs& args, size_t tile, void* shared) noexcept;
void run_winograd(const WinogradPlan& plan, const BlockedConvArgs& args, size_t tile, const void* shared,
                  void* scratch) noexcept;

// What the instruction sets' files give: patches [begin, end) of one channel block of an image.
struct WinogradInput {
  const float* src = nullptr;  // [rows, columns, block]
  size_t rows = 0, columns = 0;
  size_t pad_row = 0, pad_column = 0;
  WinogradGrid grid;
  size_t begin = 0, end = 0;
  float* dst = nullptr;  // [point][end - begin][block], points dst_step apart
  size_t dst_step = 0;
};
struct WinogradOutput {
  const float* src = nullptr;  // [point][end - begin][block], points src_step apart
  size_t src_step = 0;
  WinogradGrid grid;
  size_t begin = 0, end = 0;
  float* dst = nullptr;  // [rows, columns, block]
  size_t rows = 0, columns = 0;
  const float* bias = nullptr;  // [bias_count], or nullptr
  size_t bias_count = 0;
  const float* residual = nullptr;  // laid out as dst
  RegisterEpilogue<float> epilogue;
  const EpilogueStep* steps = nullptr;  // behind those of `epilogue`
  int step_count = 0;
};
struct WinogradKernels {
  void (*input)(const WinogradInput& input) noexcept = nullptr;
  void (*output)(const WinogradOutput& output) noexcept = nullptr;
  // weights [width][channels][3][3], channels * 9 apart, to dst [point][channel][width], points dst_step apart; lanes
  // from `lanes` on are zero.
  void (*weights)(const float* weights, size_t channels, size_t lanes, size_t width, float* dst,
                  size_t dst_step) noexcept = nullptr;
};

}  // namespace onnxrun
