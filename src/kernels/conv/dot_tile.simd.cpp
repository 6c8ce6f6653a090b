#include "kernels/conv/blocked_tile.h"
#include "kernels/simd.h"
#include "kernels/vec_math.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {
namespace {

constexpr int kWidth = kLanes<float>;
#if defined(ONNXRUN_SIMD_sse2)
// Products are rounded here, so stretches of at least so many terms of a lane are summed on their own.
constexpr size_t kTermsOfSum = 16;
#else
constexpr size_t kTermsOfSum = 0;  // one sum
#endif

// As many as leave registers for the weights, one vector of the source and one to spare.
constexpr int dot_pixels(int outputs) {
  const int fitting = (kRegisters - 2 - outputs) / outputs;
  return fitting < kMaxDotPixels ? fitting : kMaxDotPixels;
}

template <int kOutputs, int kPixels>
[[gnu::noinline]] void dot_tile(const BlockedTile& t) noexcept {
  Vec<float> acc[kOutputs][kPixels];
  const auto each = [&](auto f) ONNXRUN_INLINE_LAMBDA {
    ONNXRUN_UNROLL
    for (int o = 0; o < kOutputs; ++o) {
      ONNXRUN_UNROLL
      for (int p = 0; p < kPixels; ++p) f(o, p, acc[o][p]);
    }
  };
  const auto clear = [&] { each([](int, int, Vec<float>& x) ONNXRUN_INLINE_LAMBDA { x = Vec<float>(0.0f); }); };
  clear();
  [[maybe_unused]] Vec<float> earlier[kOutputs][kPixels];
  if constexpr (kTermsOfSum > 0) {
    each([&](int o, int p, Vec<float>&) ONNXRUN_INLINE_LAMBDA { earlier[o][p] = Vec<float>(0.0f); });
  }
  [[maybe_unused]] size_t terms = 0;

  const float* src = t.src;
  const float* weights = t.weights;
  const auto multiply = [&](const auto& load_pixel) ONNXRUN_INLINE_LAMBDA {
    for (const BlockedTap* tap = t.taps; tap != t.taps_end; ++tap) {
      const float* x = src + tap->src;
      const float* w = weights + tap->weights;
      Vec<float> wv[kOutputs];
      ONNXRUN_UNROLL
      for (int o = 0; o < kOutputs; ++o) wv[o] = load(w + o * kWidth);
      ONNXRUN_UNROLL
      for (int p = 0; p < kPixels; ++p) {
        const Vec<float> xv = load_pixel(x + p * kWidth);
        ONNXRUN_UNROLL
        for (int o = 0; o < kOutputs; ++o) accumulate(acc[o][p], xv, wv[o]);
      }
    }
    if constexpr (kTermsOfSum > 0) {
      terms += static_cast<size_t>(t.taps_end - t.taps);
      if (terms >= kTermsOfSum) {
        each([&](int o, int p, Vec<float>& sum) ONNXRUN_INLINE_LAMBDA { earlier[o][p] += sum; });
        clear();
        terms = 0;
      }
    }
    src += t.src_block_step;
    weights += t.weight_block_step;
  };
  const size_t whole = t.last_channels == kWidth ? t.channel_blocks : t.channel_blocks - 1;
  for (size_t block = 0; block < whole; ++block) {
    multiply([](const float* x) ONNXRUN_INLINE_LAMBDA { return load(x); });
  }
  if (whole < t.channel_blocks) {
    multiply([&](const float* x) ONNXRUN_INLINE_LAMBDA { return load_partial(x, t.last_channels); });
  }
  if constexpr (kTermsOfSum > 0) {
    each([&](int o, int p, Vec<float>& sum) ONNXRUN_INLINE_LAMBDA { sum += earlier[o][p]; });
  }
  each([&](int o, int p, Vec<float>& sum)
           ONNXRUN_INLINE_LAMBDA { t.dst[o * t.dst_vector_step + p] = sum_lanes(sum) + (t.bias ? t.bias[o] : 0.0f); });
}

template <int kOutputs, int kPixels>
void dot_tiles(const BlockedTile& tiles) noexcept {
  BlockedTile tile = tiles;
  for (size_t i = 0; i < tiles.tiles; ++i) {
    dot_tile<kOutputs, kPixels>(tile);
    tile.src += kPixels * kWidth;
    tile.dst += kPixels;
  }
}

template <int kOutputs, int kPixels>
constexpr void fill(DotTileKernels& kernels) {
  kernels.tiles[kOutputs - 1][kPixels - 1] = dot_tiles<kOutputs, kPixels>;
  if constexpr (kPixels < dot_pixels(kOutputs)) {
    fill<kOutputs, kPixels + 1>(kernels);
  } else {
    kernels.pixels[kOutputs - 1] = kPixels;
    if constexpr (kOutputs < kMaxDotOutputs && 2 * (kOutputs + 1) <= kWidth) fill<kOutputs + 1, 1>(kernels);
  }
}

constexpr DotTileKernels make_kernels() {
  DotTileKernels kernels;
  fill<1, 1>(kernels);
  return kernels;
}

}  // namespace

extern const DotTileKernels kDotTileKernels;
constinit const DotTileKernels kDotTileKernels = make_kernels();

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
