#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/channel_block.h"
#include "kernels/conv/blocked_tile.h"
#include "kernels/conv/conv.h"
#include "kernels/tiling.h"

namespace onnxrun {

struct BlockedConvArgs {
  const float* src = nullptr;             // blocked, or plain where the plan says so; so is dst
  const float* packed_weights = nullptr;  // as written by pack_blocked_weights
  float* dst = nullptr;                   // overlaps nothing that is read
  Epilogue epilogue;                      // bias [out_channels]; residual laid out as dst
  ByteTileEnd end = {};                   // of byte convolutions
};

// How a convolution to a channel-blocked output is computed directly: a pure function of the shape and the instruction
// set. Each output is one chain of fused multiply-adds over (channel block, kd, kh, kw, channel) ascending; taps that
// read nothing but padding may be left out. With a plain output, for a few output channels, there is such a chain for
// each channel of a block, and these are summed at the end. An output of one column is computed as a row: kw before kh.
//
// Taps that read padding for every output, as those of large dilations, are neither packed nor computed.
//
// Where the input must be padded or strided it is copied first: run_blocked_pack fills a buffer of shared_bytes that
// all workers see, tile by tile, or run_blocked_conv copies what it needs to its worker's scratch_bytes. Buffers are
// 64-byte aligned.
//
// Byte convolutions: the input is uint8, blocked, or plain with four channels side by side, [N, ceil(C / 4), D, H, W,
// 4]; four bytes count as one float, and four channels as one. See ByteTileKernels.
struct BlockedConvPlan {
  ConvShape shape;            // less the taps that are left out: an equal convolution with a smaller kernel
  bool turned = false;        // whose rows and columns are exchanged: the one column of the output is a row
  bool is_byte = false;       // a byte convolution
  bool to_floats = false;     // one whose output is float32
  uint8_t zero = 0;           // what its padding is
  bool plain_input = false;   // src is [N, C, D, H, W]
  bool plain_output = false;  // and so are dst and the residual
  size_t output[3] = {0, 0, 0};
  size_t pack_tile_count = 0;
  size_t tile_count = 0;
  size_t shared_bytes = 0;
  size_t scratch_bytes = 0;
  size_t packed_weight_bytes = 0;
  size_t panel_count = 0;  // units of pack_blocked_weights

  // The taps of the original kernel, and which of them the packed weights hold.
  size_t kernel_taps = 0;
  std::vector<size_t> used_taps;

  // For the implementation.
  static constexpr size_t kVectors = 2;  // output blocks of a panel of blocked output
  static constexpr size_t kMaxSkippedTaps = 64;
  enum class Copy : uint8_t { none, scratch, shared };

  const BlockedTileKernels* kernels = nullptr;
  Copy copy = Copy::none;
  size_t block = 0;       // of the output; 1 where it is plain
  size_t dst_block = 0;   // the floats that hold it
  size_t src_block = 0;   // channels side by side in what the tiles read: block or 1
  size_t src_blocks = 0;  // per group
  size_t out_blocks = 0;  // per group
  size_t vectors = 0;     // output blocks of a panel; the last one may have fewer
  size_t group_panels = 0;
  size_t k = 0;                     // multiply-adds of an output, whole channel blocks
  size_t head = 0;                  // rows of a packed panel before those
  std::vector<BlockedTap> taps[2];  // for panels of one and of two output blocks

  // What the tiles read: [src_blocks][depth][rows][phases][columns][src_block], the columns sorted by their remainder
  // modulo the stride.
  struct Source {
    size_t depth = 0, rows = 0, columns = 0;
    std::vector<size_t> phases;               // remainders that some tap reads
    size_t depth_step = 1, row_step = 1;      // input positions from one to the next
    size_t output_depth = 1, output_row = 1;  // source positions from one output's to the next
    size_t row_floats = 0, block_floats = 0;
    ptrdiff_t before = 0;  // floats from what tap 0 of the first output reads, in the padding, to the source
  } source;

  // Rows of the output: its own, or, where all positions lie side by side, stretches of them.
  bool merged = false;
  bool paired = false;        // two rows at once
  bool pixel_lanes = false;   // by PixelTileKernels
  bool skip_rows = false;     // tap rows in the padding are left out
  bool skip_columns = false;  // and tap columns
  bool exact = false;         // no tile reads padding: its taps read the input for all of its pixels or for none
  size_t row_length = 0;
  size_t row_count = 0;
  struct TileGroup {
    size_t pixels;  // of each tile
    size_t tiles;   // side by side
  };
  std::vector<TileGroup> groups, last_groups;  // along a row, and along the last one
  size_t tiles_of_row = 0;
  size_t row_tile = 0, row_tiles = 0;
  size_t panel_tile = 0, panel_tiles = 0;
  size_t stretch = 0;  // channel blocks that are summed for all rows of a tile before the next ones: what these
                       // read stays in the first and second level cache

  // Weights [M, C / group, KD, KH, KW] in front of those of a panel; of panel_count: all.
  size_t weights_before(size_t panel) const {
    const size_t of_channel = shape.in_channels / shape.group * kernel_taps;
    if (panel >= panel_count) return shape.out_channels * of_channel;
    const size_t group_out = shape.out_channels / shape.group;
    const size_t channel = panel % group_panels * kVectors * block;
    const size_t channels = panel / group_panels * group_out + (channel < group_out ? channel : group_out);
    return channels * of_channel;
  }
  // Rows of the source that `count` rows of the output read.
  size_t source_rows(size_t count) const {
    const size_t reach = (count - 1) * shape.stride[1] + (shape.kernel[1] - 1) * shape.dilation[1] + 1;
    return shape.kernel[1] == 1 ? count : reach;
  }
};

// Whether the shape can be computed so: groups must fill whole blocks.
bool can_block_conv(const ConvShape& shape, bool plain_input);
// Whether there are tiles for a plain output of so many channels.
bool has_dot_tiles(size_t out_channels);

// `plain_output`: of one group, from a blocked input, where has_dot_tiles.
BlockedConvPlan make_blocked_conv_plan(const ConvShape& shape, bool plain_input, bool plain_output = false,
                                       bool one_thread = false);

// The shape counts channels. Groups must have whole blocks of channels.
BlockedConvPlan make_byte_conv_plan(const ConvShape& shape, bool plain_input, bool to_floats, uint8_t zero,
                                    bool one_thread = false);

// Packs panels [begin, end) of plan.panel_count from their weights, those behind plan.weights_before(begin), which may
// lie at any address; dst is the beginning of packed_weight_bytes. Panels are independent.
void pack_blocked_weights(const BlockedConvPlan& plan, const float* weights, float* dst, size_t begin, size_t end);
// The same of a byte convolution, from the beginning of all weights; `channels` is their C / group.
void pack_byte_weights(const BlockedConvPlan& plan, const int8_t* weights, size_t channels, float* dst, size_t begin,
                       size_t end);

// Thread-safe for distinct tiles.
void run_blocked_pack(const BlockedConvPlan& plan, const BlockedConvArgs& args, size_t tile, void* shared) noexcept;
void run_blocked_conv(const BlockedConvPlan& plan, const BlockedConvArgs& args, size_t tile, const void* shared,
                      void* scratch) noexcept;

// Copies plain maps [N, C, positions] to blocked ones, zeros behind C, and back: maps [begin, end) of N * ceil(C /
// block).
void block_channels(const float* src, float* dst, size_t channels, size_t positions, size_t begin, size_t end) noexcept;
void unblock_channels(const float* src, float* dst, size_t channels, size_t positions, size_t begin,
                      size_t end) noexcept;

}  // namespace onnxrun
