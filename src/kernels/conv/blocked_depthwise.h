#pragma once

#include "kernels/conv/blocked_conv.h"

namespace onnxrun {

struct BlockedDepthwiseKernels;

// A convolution of one or two dimensions with as many groups as input and output channels, on channel-blocked maps:
// see blocked_conv.h. Each output is one chain of fused multiply-adds over the taps inside the input, ascending.
struct BlockedDepthwisePlan {
  ConvShape shape;
  size_t output[2] = {0, 0};  // rows, columns
  size_t tile_count = 0;
  size_t packed_weight_bytes = 0;

  // For the implementation.
  const BlockedDepthwiseKernels* kernels = nullptr;
  size_t block = 0;
  size_t row_tile = 0, row_tiles = 0;
  size_t inner_begin = 0, inner_end = 0;  // columns whose taps are all inside the input
};

BlockedDepthwisePlan make_blocked_depthwise_plan(const ConvShape& shape);

// From weights [C, 1, KD, KH, KW]; blocks [begin, end) of ceil(C / block).
void pack_blocked_depthwise_weights(const BlockedDepthwisePlan& plan, const float* weights, float* dst, size_t begin,
                                    size_t end);

// Thread-safe for distinct tiles.
void run_blocked_depthwise(const BlockedDepthwisePlan& plan, const BlockedConvArgs& args, size_t tile) noexcept;

// What the instruction sets' files give.
struct BlockedDepthwiseRow {
  const float* src = nullptr;  // what the first tap reads for the first output
  ptrdiff_t src_step = 0;      // from one output's to the next
  ptrdiff_t tap_row_step = 0, tap_column_step = 0;
  size_t tap_rows = 0, tap_columns = 0;
  const float* weights = nullptr;  // [tap_rows][weight_columns][block]
  size_t weight_columns = 0;
  float* dst = nullptr;
  const float* residual = nullptr;
  const float* bias = nullptr;  // [bias_count], or nullptr
  size_t bias_count = 0;
  size_t count = 0;  // outputs
  RegisterEpilogue<float> epilogue;
};

struct BlockedDepthwiseKernels {
  void (*row)(const BlockedDepthwiseRow& row) noexcept = nullptr;
};

}  // namespace onnxrun
