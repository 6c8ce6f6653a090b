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
constexpr int kChannelsAtOnce = 2;
#else
constexpr int kChannelsAtOnce = 1;
#endif
// Each line of the source that src_ahead is about is brought in once or, where a line holds two pixels, twice.
constexpr size_t kLine = 64 / sizeof(float);
// One vector needs more pixels for as many independent chains.
constexpr int kSinglePixels = kPixels * 5 / 3 < kMaxBlockedPixels ? kPixels * 5 / 3 : kMaxBlockedPixels;
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
  // Channels at once where nothing else is between them; 1 where g++ 12 would spill sums.
  constexpr int kFreeRegisters = kRegisters - kRows * kColumns * kVectors;
  constexpr int kUnrolled = kFreeRegisters >= 8 || (kVectors == 2 && kFreeRegisters >= 4 && kWidth == 8) ? 4 : 1;
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
  alignas(64) float bias[kVectors * kWidth];
  ONNXRUN_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    const size_t begin = static_cast<size_t>(v * kWidth);
    const size_t left = t.bias && t.bias_count > begin ? t.bias_count - begin : 0;
    const Vec<float> x = left >= kWidth ? load(t.bias + begin)
                         : left > 0     ? load_partial(t.bias + begin, left)
                                        : Vec<float>(-0.0f);  // changes nothing
    x.store_aligned(bias + begin);
  }
  // Sums without a branch: g++ would make two loops of it, one of which spills.
  const ptrdiff_t sums_row_step = t.sums ? t.dst_row_step : 0;
  const ptrdiff_t sums_vector_step = t.sums ? t.dst_vector_step : 0;
  const ptrdiff_t sums_step = t.sums ? kColumns * kWidth : 0;
  const float* sums = t.sums ? t.sums : kNoSums;
  const float* first = t.src;
  float* dst = t.dst;
  const float* residual = t.residual;
  const char* next = t.prefetch;
  for (size_t tile = 0; tile < t.tiles; ++tile) {
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

    const float* src = first;
    const float* weights = t.weights;
    const auto multiply = [&](const float* const(&x)[kRows], const float* w, size_t c) ONNXRUN_INLINE_LAMBDA {
      Vec<float> wv[kVectors];
      ONNXRUN_UNROLL
      for (int v = 0; v < kVectors; ++v) wv[v] = load(w + v * kWidth);
      ONNXRUN_UNROLL
      for (int r = 0; r < kRows; ++r) {
        ONNXRUN_UNROLL
        for (int p = 0; p < kColumns; ++p) {
          const Vec<float> xv(x[r][static_cast<size_t>(p * kStep) + c]);
          ONNXRUN_UNROLL
          for (int v = 0; v < kVectors; ++v) accumulate(acc[r][p][v], xv, wv[v]);
        }
      }
    };
    const auto bring_weights = [&](ptrdiff_t steps) ONNXRUN_INLINE_LAMBDA {
      prefetch_l2(next);
      next += steps * t.prefetch_step;
    };
    size_t block = 0;
    // One tap, whole blocks: the same, with nothing between one block and the next.
    if constexpr (!kPlain && kTermsOfSum == 0) {
      if (t.taps_end - t.taps == 1) {
        const float* x[kRows];
        ONNXRUN_UNROLL
        for (int r = 0; r < kRows; ++r) x[r] = src + t.taps->src + r * t.src_row_step;
        const float* ahead = x[0] + t.src_ahead;
        const float* w = weights + t.taps->weights;
        const ptrdiff_t block_step = t.src_block_step - kStep;
        const ptrdiff_t weight_step = t.weight_block_step - kStep * kVectors * kWidth;
        const size_t whole = t.last_channels == kStep ? t.channel_blocks : t.channel_blocks - 1;
        for (; block < whole; ++block) {
          for (int c = 0; c < kStep; c += kUnrolled) {
            ONNXRUN_UNROLL
            for (int i = 0; i < kUnrolled; ++i) {
              constexpr int kTogether = kUnrolled < kChannelsAtOnce ? kUnrolled : kChannelsAtOnce;
              if (i % kTogether == 0) {
                bring_weights(kTogether);
                prefetch(ahead);
                ahead += kLine;
              }
              multiply(x, w + i * kVectors * kWidth, static_cast<size_t>(i));
            }
            ONNXRUN_UNROLL
            for (int r = 0; r < kRows; ++r) x[r] += kUnrolled;
            w += kUnrolled * kVectors * kWidth;
          }
          ONNXRUN_UNROLL
          for (int r = 0; r < kRows; ++r) x[r] += block_step;
          ahead = x[0] + t.src_ahead;
          w += weight_step;
        }
        src += static_cast<ptrdiff_t>(whole) * t.src_block_step;
        weights += static_cast<ptrdiff_t>(whole) * t.weight_block_step;
      }
    }
    for (; block < t.channel_blocks; ++block) {
      const size_t channels = block + 1 == t.channel_blocks ? t.last_channels : static_cast<size_t>(kStep);
      for (const BlockedTap* tap = t.taps; tap != t.taps_end; ++tap) {
        const float* x[kRows];
        ONNXRUN_UNROLL
        for (int r = 0; r < kRows; ++r) x[r] = src + tap->src + r * t.src_row_step;
        const float* w = weights + tap->weights;
        if constexpr (kPlain) {
          multiply(x, w, 0);
          continue;
        }
        size_t c = 0;
        for (; c + kChannelsAtOnce <= channels; c += kChannelsAtOnce) {
          bring_weights(kChannelsAtOnce);
          prefetch(x[0] + t.src_ahead + c / kChannelsAtOnce * kLine);
          ONNXRUN_UNROLL
          for (size_t i = 0; i < kChannelsAtOnce; ++i, w += kVectors * kWidth) multiply(x, w, c + i);
        }
        if constexpr (kChannelsAtOnce > 1) {
          for (; c < channels; ++c, w += kVectors * kWidth) multiply(x, w, c);
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

    if (!t.unfinished) {
      each([&](int, int, int v, Vec<float>& x) ONNXRUN_INLINE_LAMBDA { x += load(bias + v * kWidth); });
      if (t.epilogue.add_residual) {
        each([&](int r, int p, int v, Vec<float>& x) ONNXRUN_INLINE_LAMBDA { x += load(residual + offset(r, p, v)); });
      }
      activate(t.epilogue, [&](auto f) ONNXRUN_INLINE_LAMBDA {
        each([&](int, int, int, Vec<float>& x) ONNXRUN_INLINE_LAMBDA { f(x); });
      });
    }
    each([&](int r, int p, int v, Vec<float>& x) ONNXRUN_INLINE_LAMBDA { store(dst + offset(r, p, v), x); });
    first += kColumns * kStep;
    dst += kColumns * kWidth;
    residual = advance(residual, kColumns * kWidth);
    sums += sums_step;
  }
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
