#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/epilogue.h"

namespace onnxrun {

// ONNX Conv on plain layouts: input [N, C, D, H, W], weights [M, C / group, KD, KH, KW], output [N, M, OD, OH, OW].
// One- and two-dimensional convolutions leave the leading spatial entries at their defaults. Extents may be zero.
struct ConvShape {
  size_t batch = 1;
  size_t group = 1;
  size_t in_channels = 1;   // C, a multiple of group
  size_t out_channels = 1;  // M, a multiple of group
  size_t input[3] = {1, 1, 1};
  size_t kernel[3] = {1, 1, 1};
  size_t stride[3] = {1, 1, 1};
  size_t dilation[3] = {1, 1, 1};
  size_t pad_begin[3] = {0, 0, 0};
  size_t pad_end[3] = {0, 0, 0};
};

// floor((input + pads - ((kernel - 1) dilation + 1)) / stride) + 1 along `axis`, or 0 when the kernel does not fit.
size_t conv_output_extent(const ConvShape& shape, int axis);

// Joins short rows, where the last axis has nothing but a tap of its own, to an equal convolution of longer ones: the
// tap distance of the axis before, times the columns, is then that of the last axis. Longer rows compute faster.
void merge_columns(ConvShape& shape);

// Exchanges rows and columns of a convolution whose output has one column, for rows are what is computed at once.
// Returns whether it did.
bool turn_to_rows(ConvShape& shape);

struct ConvArgs {
  const float* src = nullptr;
  const float* packed_weights = nullptr;  // as written by pack_conv_weights
  float* dst = nullptr;                   // overlaps neither src nor the weights
  Epilogue epilogue;                      // bias [out_channels]; residual laid out as dst
};

struct ConvKernels;

// How a convolution is computed: a pure function of the shape and the selected instruction set; the number of threads
// has no part in it, and none in the results. Each output is one chain of fused multiply-adds over (kd, kh, kw, c)
// ascending.
//
// Two phases. In the first, when pack_tile_count > 0, run_conv_pack_tile gathers the input into a buffer of
// shared_bytes that all workers see; when all its tiles are done, run_conv_tile computes tile by tile, each with
// scratch_bytes of its worker's own. Buffers are 64-byte aligned.
struct ConvPlan {
  ConvShape shape;
  size_t output[3] = {0, 0, 0};
  size_t pack_tile_count = 0;
  size_t tile_count = 0;
  size_t shared_bytes = 0;
  size_t scratch_bytes = 0;
  size_t packed_weight_bytes = 0;
  size_t weight_block_count = 0;  // units of pack_conv_weights

  // How the tiles are cut; for the kernels.
  const ConvKernels* kernels = nullptr;
  bool depthwise = false;
  bool skip_zero_taps = false;  // a block of k never spans two taps, and is skipped where all it reads is padding
  size_t positions = 0;         // OD * OH * OW
  size_t position_tile = 0;     // output positions of a tile, a multiple of the panel width
  size_t position_tiles = 0;
  size_t channel_tile = 0;   // output channels (depthwise: input channels) of a tile
  size_t channel_tiles = 0;  // per group
  size_t k_block = 0;        // largest number of k steps between two visits of the output
};

ConvPlan make_conv_plan(const ConvShape& shape);

// Packs blocks [block_begin, block_end) of weight_block_count; dst is the beginning of packed_weight_bytes. Blocks are
// independent, so that threads may share the work.
void pack_conv_weights(const ConvPlan& plan, const float* weights, float* dst, size_t block_begin, size_t block_end);

// Thread-safe for distinct tiles.
void run_conv_pack_tile(const ConvPlan& plan, const ConvArgs& args, size_t tile, void* shared) noexcept;
void run_conv_tile(const ConvPlan& plan, const ConvArgs& args, size_t tile, const void* shared, void* scratch) noexcept;

// The same by plain loops with sums in double, from unpacked weights: the oracle of the tests. Packed weights are
// ignored.
void conv_reference(const ConvShape& shape, const ConvArgs& args, const float* weights);

}  // namespace onnxrun
