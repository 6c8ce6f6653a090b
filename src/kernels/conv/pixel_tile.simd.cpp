#include "kernels/conv/blocked_tile.h"
#include "kernels/transpose/transpose_square.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {

namespace {

constexpr size_t kWidth = kLanes<float>;
constexpr size_t kMaxVectors = 4;
constexpr size_t vectors_for(size_t channels) {
  const size_t most = (kRegisters - 1) / (channels + 1);  // sums and vectors of the source, beside a weight
  return most < kMaxVectors ? most : kMaxVectors;
}
// As many as leave registers for two vectors of each, where more than a few lanes would be idle.
constexpr size_t max_channels() {
  size_t channels = kWidth > 4 ? kMaxPixelChannels : 0;
  while (channels > 0 && (vectors_for(channels) < 2 || channels >= kWidth)) --channels;
  return channels;
}

// Outputs [columns[v], columns[v] + kWidth) for v < kVectors. `lanes` is [kWidth][kWidth], zero from kChannels on.
template <size_t kChannels, size_t kVectors>
void pixel_tile(const BlockedTile& t, const size_t* columns, float* lanes) noexcept {
  Vec<float> acc[kChannels][kVectors];
  ONNXRUN_UNROLL
  for (size_t c = 0; c < kChannels; ++c) {
    ONNXRUN_UNROLL
    for (size_t v = 0; v < kVectors; ++v) acc[c][v] = Vec<float>(0.0f);
  }
  const float* src = t.src;
  const float* weights = t.weights;
  for (size_t block = 0; block < t.channel_blocks; ++block) {
    for (const BlockedTap* tap = t.taps; tap != t.taps_end; ++tap) {
      const float* w = weights + tap->weights;
      Vec<float> x[kVectors];
      ONNXRUN_UNROLL
      for (size_t v = 0; v < kVectors; ++v) x[v] = load(src + tap->src + columns[v]);
      ONNXRUN_UNROLL
      for (size_t c = 0; c < kChannels; ++c) {
        const Vec<float> weight(w[c]);
        ONNXRUN_UNROLL
        for (size_t v = 0; v < kVectors; ++v) accumulate(acc[c][v], x[v], weight);
      }
    }
    src += t.src_block_step;
    weights += t.weight_block_step;
  }
  ONNXRUN_UNROLL
  for (size_t v = 0; v < kVectors; ++v) {
    ONNXRUN_UNROLL
    for (size_t c = 0; c < kChannels; ++c) {
      store(lanes + c * kWidth, acc[c][v] + Vec<float>(t.bias ? t.bias[c] : -0.0f));  // -0 changes nothing
    }
    transpose_square(lanes, kWidth, t.dst + columns[v] * kWidth, kWidth);
  }
}

template <size_t kChannels, size_t kVectors>
void tile_of(size_t vectors, const BlockedTile& t, const size_t* columns, float* lanes) noexcept {
  if constexpr (kVectors > 1) {
    if (vectors < kVectors) return tile_of<kChannels, kVectors - 1>(vectors, t, columns, lanes);
  }
  pixel_tile<kChannels, kVectors>(t, columns, lanes);
}

template <size_t kChannels>
void row(const BlockedTile& t, size_t length) noexcept {
  constexpr size_t kMost = vectors_for(kChannels);
  alignas(64) float lanes[kWidth * kWidth] = {};
  const size_t vectors = (length + kWidth - 1) / kWidth;
  const size_t tiles = (vectors + kMost - 1) / kMost;
  for (size_t tile = 0; tile < tiles; ++tile) {
    const size_t begin = vectors * tile / tiles, end = vectors * (tile + 1) / tiles;
    size_t columns[kMaxVectors];  // the last vector ends with the row
    for (size_t v = begin; v < end; ++v) {
      columns[v - begin] = v + 1 < vectors ? v * kWidth : length - kWidth;
    }
    tile_of<kChannels, kMost>(end - begin, t, columns, lanes);
  }
}

template <size_t kChannels>
constexpr void fill(PixelTileKernels& kernels) {
  if constexpr (kChannels > 0) {
    kernels.rows[kChannels - 1] = row<kChannels>;
    fill<kChannels - 1>(kernels);
  }
}

constexpr PixelTileKernels make_kernels() {
  PixelTileKernels kernels;
  kernels.lanes = kWidth;
  fill<max_channels()>(kernels);
  return kernels;
}

}  // namespace

extern const PixelTileKernels kPixelTileKernels;
constinit const PixelTileKernels kPixelTileKernels = make_kernels();

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
