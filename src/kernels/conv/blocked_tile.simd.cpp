#include "kernels/conv/blocked_tile.h"

#include "kernels/gemm/micro_kernel.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {
namespace {

#if defined(ONNXRUN_SIMD_avx512)
constexpr int kPixels = 14;
#elif defined(ONNXRUN_SIMD_neon)
constexpr int kPixels = 12;
#else
constexpr int kPixels = 6;
#endif
// A loop of two steps saves instructions where they are many for each multiply-add, and spills where registers are few
// or all used.
#if defined(ONNXRUN_SIMD_avx2)
constexpr size_t kChannelsAtOnce = 2;
#else
constexpr size_t kChannelsAtOnce = 1;
#endif
// One vector needs as many pixels for as many independent chains.
constexpr int kSinglePixels = 2 * kPixels < kMaxBlockedPixels ? 2 * kPixels : kMaxBlockedPixels;
constexpr int kWidth = kLanes<float>;
#if defined(ONNXRUN_SIMD_sse2)
// Products are rounded here, so stretches of about so many terms are summed on their own.
constexpr size_t kTermsOfSum = 32;
#else
constexpr size_t kTermsOfSum = 0;  // one sum
#endif

alignas(64) constexpr float kNoSums[kMaxBlockedPixels * kWidth] = {};

template <bool kPlain, int kRows, int kColumns, int kVectors>
void blocked_tile(const BlockedTile& t) noexcept {
  constexpr int kStep = kPlain ? 1 : kWidth;
  Vec<float> acc[kRows][kColumns][kVectors];
  const auto each = [&](auto f) ONNXRUN_INLINE_LAMBDA {
    ONNXRUN_UNROLL
    for (int r = 0; r < kRows; ++r) {
      ONNXRUN_UNROLL
      for (int p = 0; p < kColumns; ++p) {
        ONNXRUN_UNROLL
        for (int v = 0; v < kVectors; ++v) f(r, p, v, acc[r][p][v]);
      }
    }
  };
  [[maybe_unused]] const auto clear = [&] {
    each([](int, int, int, Vec<float>& x) ONNXRUN_INLINE_LAMBDA { x = Vec<float>(0.0f); });
  };
  const auto offset = [&](int r, int p, int v)
                          ONNXRUN_INLINE_LAMBDA { return r * t.dst_row_step + v * t.dst_vector_step + p * kWidth; };
  // Without a branch: g++ would make two loops of it, one of which spills.
  const ptrdiff_t sums_row_step = t.sums ? t.dst_row_step : 0;
  const ptrdiff_t sums_vector_step = t.sums ? t.dst_vector_step : 0;
  const float* sums = t.sums ? t.sums : kNoSums;
  each([&](int r, int p, int v, Vec<float>& x)
           ONNXRUN_INLINE_LAMBDA { x = load(sums + (r * sums_row_step + v * sums_vector_step + p * kWidth)); });
  [[maybe_unused]] Vec<float> earlier[kRows][kColumns][kVectors];
  [[maybe_unused]] size_t terms = 0;
  if constexpr (kTermsOfSum > 0) {
    each([&](int r, int p, int v, Vec<float>& x) ONNXRUN_INLINE_LAMBDA { earlier[r][p][v] = x; });
    clear();
  }
  const auto add_earlier = [&]() ONNXRUN_INLINE_LAMBDA {
    each([&](int r, int p, int v, Vec<float>& x) ONNXRUN_INLINE_LAMBDA { x += earlier[r][p][v]; });
  };

  const float* src = t.src;
  const float* weights = t.weights;
  const char* next = t.prefetch;
  for (size_t block = 0; block < t.channel_blocks; ++block) {
    const size_t channels = block + 1 == t.channel_blocks ? t.last_channels : static_cast<size_t>(kStep);
    for (const BlockedTap* tap = t.taps; tap != t.taps_end; ++tap) {
      const float* x[kRows];
      ONNXRUN_UNROLL
      for (int r = 0; r < kRows; ++r) x[r] = src + tap->src + r * t.src_row_step;
      const float* w = weights + tap->weights;
      const auto multiply = [&](size_t c) ONNXRUN_INLINE_LAMBDA {
        Vec<float> wv[kVectors];
        ONNXRUN_UNROLL
        for (int v = 0; v < kVectors; ++v) wv[v] = load(w + v * kWidth);
        ONNXRUN_UNROLL
        for (int r = 0; r < kRows; ++r) {
          ONNXRUN_UNROLL
          for (int p = 0; p < kColumns; ++p) {
            const Vec<float> xv(x[r][static_cast<size_t>(p * kStep) + c]);
            ONNXRUN_UNROLL
            for (int v = 0; v < kVectors; ++v) acc[r][p][v] = fma(xv, wv[v], acc[r][p][v]);
          }
        }
        w += kVectors * kWidth;
      };
      const auto bring_weights = [&](ptrdiff_t steps) ONNXRUN_INLINE_LAMBDA {
        prefetch_l2(next);
        next += steps * t.prefetch_step;
      };
      if constexpr (kPlain) {
        bring_weights(1);
        multiply(0);
        continue;
      }
      // Each line of the source of a later call is brought in once or, where a line holds two pixels, twice.
      constexpr size_t kLine = 64 / sizeof(float);
      const auto step = [&](size_t c) ONNXRUN_INLINE_LAMBDA {
        bring_weights(kChannelsAtOnce);
        prefetch_l2(x[0] + t.src_ahead + c / kChannelsAtOnce * kLine);
        ONNXRUN_UNROLL
        for (size_t i = 0; i < kChannelsAtOnce; ++i) multiply(c + i);
      };
      size_t c = 0;
      for (; c + kChannelsAtOnce <= channels; c += kChannelsAtOnce) step(c);
      if constexpr (kChannelsAtOnce > 1) {
        for (; c < channels; ++c) multiply(c);
      }
    }
    src += t.src_block_step;
    weights += t.weight_block_step;
    if constexpr (kTermsOfSum > 0) {
      terms += static_cast<size_t>(t.taps_end - t.taps) * channels;
      if (terms < kTermsOfSum) continue;
      add_earlier();
      each([&](int r, int p, int v, Vec<float>& x) ONNXRUN_INLINE_LAMBDA { earlier[r][p][v] = x; });
      terms = 0;
      clear();
    }
  }
  if constexpr (kTermsOfSum > 0) add_earlier();
  const auto store_all = [&]() ONNXRUN_INLINE_LAMBDA {
    each([&](int r, int p, int v, Vec<float>& x) ONNXRUN_INLINE_LAMBDA { store(t.dst + offset(r, p, v), x); });
  };
  if (t.unfinished) return store_all();

  if (t.bias) {
    Vec<float> bias[kVectors];
    ONNXRUN_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      const size_t begin = static_cast<size_t>(v * kWidth);
      const size_t left = t.bias_count > begin ? t.bias_count - begin : 0;
      bias[v] = left >= kWidth ? load(t.bias + begin) : load_partial(t.bias + begin, left);
    }
    each([&](int, int, int v, Vec<float>& x) ONNXRUN_INLINE_LAMBDA { x += bias[v]; });
  }
  if (t.epilogue.add_residual) {
    each([&](int r, int p, int v, Vec<float>& x) ONNXRUN_INLINE_LAMBDA { x += load(t.residual + offset(r, p, v)); });
  }
  activate(t.epilogue, [&](auto f) ONNXRUN_INLINE_LAMBDA {
    each([&](int, int, int, Vec<float>& x) ONNXRUN_INLINE_LAMBDA { f(x); });
  });
  store_all();
}

RegisterEpilogue<float> steps_in_registers(const EpilogueStep* steps, int count) noexcept {
  return register_epilogue<float>(steps, count);
}

template <int kColumns>
constexpr void fill(BlockedTileKernels& kernels) {
  kernels.single[0][kColumns - 1] = blocked_tile<false, 1, kColumns, 1>;
  kernels.plain[0][kColumns - 1] = blocked_tile<true, 1, kColumns, 1>;
  if constexpr (kColumns <= kPixels) {
    kernels.single[1][kColumns - 1] = blocked_tile<false, 1, kColumns, 2>;
    kernels.plain[1][kColumns - 1] = blocked_tile<true, 1, kColumns, 2>;
  }
  if constexpr (2 * kColumns <= kPixels) kernels.paired[kColumns - 1] = blocked_tile<false, 2, kColumns, 2>;
  if constexpr (kColumns < kSinglePixels) fill<kColumns + 1>(kernels);
}

constexpr BlockedTileKernels make_kernels() {
  BlockedTileKernels kernels;
  kernels.block = kWidth;
  kernels.pixels = kPixels;
  kernels.single_pixels = kSinglePixels;
  kernels.paired_pixels = kPixels / 2;
  kernels.register_epilogue = steps_in_registers;
  fill<1>(kernels);
  return kernels;
}

}  // namespace

extern const BlockedTileKernels kBlockedTileKernels;
constinit const BlockedTileKernels kBlockedTileKernels = make_kernels();

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
