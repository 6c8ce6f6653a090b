#pragma once

#include "kernels/conv/blocked_conv.h"

namespace onnxrun {

struct BlockedGroupedKernels;

// A convolution of one or two dimensions in narrow groups on channel-blocked maps (see blocked_conv.h): as many output
// as input channels in a group, and whole groups in a block; groups of one channel are a depthwise convolution. Each
// output is one chain of fused multiply-adds over (kh, kw, channel) ascending; taps in the padding may be left out.
//
// Where many columns of small maps read padding, a tile first copies its rows with zeros around into its worker's
// scratch_bytes, which are 64-byte aligned.
struct BlockedGroupedPlan {
  ConvShape shape;
  size_t output[2] = {0, 0};  // rows, columns
  size_t tile_count = 0;
  size_t packed_weight_bytes = 0;
  size_t scratch_bytes = 0;

  // For the implementation.
  const BlockedGroupedKernels* kernels = nullptr;
  size_t block = 0;
  size_t width = 0;  // channels of a group
  size_t row_tile = 0, row_tiles = 0;
  bool padded = false;             // rows are copied
  size_t source_width = 0;         // columns of a copied row
  size_t inner_begin[2] = {0, 0};  // rows and columns whose taps are all inside the input
  size_t inner_end[2] = {0, 0};
};

// Whether the shape's groups are so narrow.
bool has_narrow_groups(const ConvShape& shape);

BlockedGroupedPlan make_blocked_grouped_plan(const ConvShape& shape);

// From weights [C, C / group, KD, KH, KW]; blocks [begin, end) of ceil(C / block).
void pack_blocked_grouped_weights(const BlockedGroupedPlan& plan, const float* weights, float* dst, size_t begin,
                                  size_t end);

// Thread-safe for distinct tiles.
void run_blocked_grouped(const BlockedGroupedPlan& plan, const BlockedConvArgs& args, size_t tile,
                         void* scratch) noexcept;

// What the instruction sets' files give. The outputs of a "row" stand side by side or one below the other.
struct BlockedGroupedRow {
  const float* src = nullptr;  // what the first tap reads for the first output
  ptrdiff_t src_step = 0;      // from one output's to the next
  ptrdiff_t dst_step = 0;      // from one output to the next
  ptrdiff_t tap_row_step = 0, tap_column_step = 0;
  size_t tap_rows = 0, tap_columns = 0;
  const float* weights = nullptr;  // [tap_rows][weight_columns][width][block]
  size_t weight_columns = 0;
  size_t width = 0;
  float* dst = nullptr;
  const float* residual = nullptr;
  const float* bias = nullptr;  // [bias_count], or nullptr
  size_t bias_count = 0;
  size_t count = 0;  // outputs
  RegisterEpilogue<float> epilogue;
};

struct BlockedGroupedKernels {
  void (*depthwise_row)(const BlockedGroupedRow& row) noexcept = nullptr;  // width 1
  void (*grouped_row)(const BlockedGroupedRow& row) noexcept = nullptr;
};

}  // namespace onnxrun
