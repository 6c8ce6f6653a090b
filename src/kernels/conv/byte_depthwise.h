#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/conv/blocked_tile.h"
#include "kernels/conv/conv.h"

namespace onnxrun {

// Depthwise convolution of channel-blocked maps of bytes, to such maps: one weight for each channel and tap. Sums are
// exact in int32; see ByteTileEnd for what becomes of them.
struct ByteDepthwisePlan {
  ConvShape shape;
  uint8_t zero = 0;     // what the padding is
  size_t block = 0;     // channels side by side
  size_t blocks = 0;    // of an image
  size_t quads = 0;     // of neighbouring taps in a row of the kernel, the last one filled up
  size_t rows = 0;      // of an output map
  size_t columns = 0;   // and its columns
  size_t row_tile = 0;  // rows of a tile
  size_t row_tiles = 0;
  size_t padded_columns = 0;  // of the input rows that a tile copies to its scratch memory
  size_t tile_count = 0;
  size_t scratch_bytes = 0;
  size_t packed_weight_bytes = 0;
};

// One or two spatial axes, an output channel for each input channel, no dilation along rows.
bool has_byte_depthwise(const ConvShape& shape);
ByteDepthwisePlan make_byte_depthwise_plan(const ConvShape& shape, uint8_t zero);

// Packs blocks [begin, end) of channels from weights [C, 1, KH, KW]; dst is the beginning of packed_weight_bytes.
void pack_byte_depthwise_weights(const ByteDepthwisePlan& plan, const int8_t* weights, std::byte* dst, size_t begin,
                                 size_t end);

struct ByteDepthwiseArgs {
  const uint8_t* src = nullptr;
  const std::byte* packed_weights = nullptr;
  uint8_t* dst = nullptr;  // overlaps nothing that is read
  ByteTileEnd end = {};
};

// Thread-safe for distinct tiles.
void run_byte_depthwise(const ByteDepthwisePlan& plan, const ByteDepthwiseArgs& args, size_t tile,
                        void* scratch) noexcept;

// Some rows of one block of channels, for the kernels.
struct ByteDepthwiseTile {
  const uint8_t* src = nullptr;  // padded rows
  size_t row_bytes = 0;
  const std::byte* weights = nullptr;  // a start of the sum for each channel, then [tap row][quad][channel][4]
  size_t kernel_rows = 0, row_dilation = 1, quads = 0;
  size_t row_stride = 1, column_stride = 1;
  size_t rows = 0, columns = 0;
  uint8_t* dst = nullptr;
  size_t dst_row_bytes = 0;
  size_t channel = 0;
  const ByteTileEnd* end = nullptr;
};
using ByteDepthwiseKernel = void (*)(const ByteDepthwiseTile& tile) noexcept;

}  // namespace onnxrun
