// The register tiles of convolution on channel-blocked maps, for blocked_conv.cpp and winograd.cpp.
#pragma once

#include <cstddef>

#include "kernels/epilogue.h"

namespace onnxrun {

// Offsets of one kernel tap: into the source, from the place that tap 0 reads, and into the weights of a channel block.
struct BlockedTap {
  ptrdiff_t src = 0;
  ptrdiff_t weights = 0;
};

// What a byte tile makes of its sums: round(sum * scale[channel] + shift[channel]) + zero, between low and high less
// the zero before it is added; where the output is float32, the number itself.
struct ByteTileEnd {
  const float* scale = nullptr;  // [output channels, whole blocks]; shift too
  const float* shift = nullptr;
  int32_t zero = 0;
  float low = 0, high = 0;
};

// `tiles` side by side, each of `pixels` neighbouring outputs in one row, or in each of two, times one or two vectors
// of output channels. Each output is the chain of fused multiply-adds over (channel block, tap, channel) ascending,
// then bias and epilogue. SSE2, which rounds products, sums stretches of some 32 terms, and those one after the other.
// The chain may be cut between two channel blocks: what one call leaves in dst another one goes on with.
struct BlockedTile {
  const float* src = nullptr;  // what tap offset 0 reads for the first pixel
  ptrdiff_t src_row_step = 0;  // to the second row
  ptrdiff_t src_block_step = 0;
  ptrdiff_t src_ahead = 0;  // from a tap's source to what is read later and brought in meanwhile
  const BlockedTap* taps = nullptr;
  const BlockedTap* taps_end = nullptr;
  size_t channel_blocks = 0;
  size_t last_channels = 0;     // of the last block
  const float* sums = nullptr;  // over earlier channel blocks, strides as dst, which it may be; nullptr: none
  bool unfinished = false;      // more channel blocks follow: neither bias nor epilogue
  const float* weights = nullptr;
  ptrdiff_t weight_block_step = 0;
  size_t tiles = 1;
  const char* prefetch = nullptr;  // what is needed next; prefetch_step bytes further with each multiply-add of a pixel
  ptrdiff_t prefetch_step = 0;
  float* dst = nullptr;
  ptrdiff_t dst_row_step = 0;
  ptrdiff_t dst_vector_step = 0;
  const float* bias = nullptr;  // [bias_count], or nullptr; the channels behind have none
  size_t bias_count = 0;
  const float* residual = nullptr;  // strides as dst
  RegisterEpilogue<float> epilogue;
  const ByteTileEnd* end = nullptr;  // of byte tiles, which know neither bias nor residual nor epilogue
  size_t channel = 0;                // theirs: the first output channel
};
using BlockedTileFunction = void (*)(const BlockedTile& tile) noexcept;

inline constexpr int kMaxBlockedPixels = 14;

struct BlockedTileKernels {
  size_t block = 0;       // channels side by side: floats of a vector
  int pixels = 0;         // of the widest tile with two vectors
  int single_pixels = 0;  // with one
  int paired_pixels = 0;  // the same over two rows
  // [vectors - 1][pixels - 1]; the source has `block` channels side by side, or, plain, one.
  BlockedTileFunction single[2][kMaxBlockedPixels] = {};
  BlockedTileFunction plain[2][kMaxBlockedPixels] = {};
  BlockedTileFunction paired[kMaxBlockedPixels / 2] = {};  // [pixels - 1], two vectors, blocked
  RegisterEpilogue<float> (*register_epilogue)(const EpilogueStep* steps, int count) noexcept = nullptr;
};

const BlockedTileKernels& blocked_tile_kernels();

// Rows of outputs of fewer channels than a vector has lanes, from a plain source of stride 1: the lanes are
// neighbouring outputs, and are turned into channels when they are stored. Neither sums nor epilogue but the bias; one
// output block.
inline constexpr size_t kMaxPixelChannels = 8;
struct PixelTileKernels {
  size_t lanes = 0;  // outputs of the shortest row
  // [channels - 1]: a row of `length` outputs; null for more channels than pay.
  void (*rows[kMaxPixelChannels])(const BlockedTile& tile, size_t length) noexcept = {};
};

const PixelTileKernels& pixel_tile_kernels();

// The same for a few output channels, which would leave most lanes of a vector idle: the lanes are the input channels
// instead, and are summed at the end. The outputs are plain maps, dst_vector_step apart; weights of a channel block and
// tap are [output][channel]. No epilogue but the bias.
inline constexpr int kMaxDotOutputs = 4;
inline constexpr int kMaxDotPixels = 8;
struct DotTileKernels {
  int pixels[kMaxDotOutputs] = {};  // [outputs - 1]: of the widest tile; 0: too many outputs
  BlockedTileFunction tiles[kMaxDotOutputs][kMaxDotPixels] = {};  // [outputs - 1][pixels - 1]
};

const DotTileKernels& dot_tile_kernels();

// The same on maps of unsigned bytes, four channels in the place of a float: a block of channels is four of them, or,
// plain, there is one; offsets and steps count floats all the same. Weights are signed bytes [channel /
// 4][vector][lane] [channel % 4], behind a row of int32 that the exact sums start from. The chain is not cut.
struct ByteTileKernels {
  int pixels = 0;         // of the widest tile with two vectors
  int single_pixels = 0;  // with one
  // [from plain][to floats][vectors - 1][pixels - 1]
  BlockedTileFunction tiles[2][2][2][kMaxBlockedPixels] = {};
};

// Null where the processor has no instruction for them.
const ByteTileKernels* byte_tile_kernels();

}  // namespace onnxrun
