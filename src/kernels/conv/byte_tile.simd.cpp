#include "kernels/conv/byte_tile_end.h"

// Byte tiles exist for AVX512_VNNI alone.
#if defined(ONNXRUN_SIMD_avx512)

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {
namespace {

constexpr int kPixels = 14;
constexpr int kWidth = kLanes<int32_t>;
constexpr int kGroupsOfBlock = kWidth / 4;  // floats of a pixel, four channels each

ONNXRUN_INLINE __m512i broadcast(const float* four_bytes) noexcept {
  return _mm512_castps_si512(_mm512_set1_ps(*four_bytes));
}

// What the sums of a vector of channels stand for.
ONNXRUN_INLINE __m512 number(__m512i sums, const ByteTileEnd& end, size_t channel, int vector) noexcept {
  channel += static_cast<size_t>(vector * kWidth);
  return _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums), _mm512_loadu_ps(end.scale + channel),
                         _mm512_loadu_ps(end.shift + channel));
}

template <bool kPlain, bool kToFloats, int kColumns, int kVectors>
void byte_tile(const BlockedTile& t) noexcept {
  constexpr int kStep = kPlain ? 1 : kGroupsOfBlock;
  constexpr int kOut = kToFloats ? kWidth : kGroupsOfBlock;
  __m512i acc[kColumns][kVectors];
  const auto each = [&](auto f) ONNXRUN_INLINE_LAMBDA {
    ONNXRUN_UNROLL
    for (int p = 0; p < kColumns; ++p) {
      ONNXRUN_UNROLL
      for (int v = 0; v < kVectors; ++v) f(p, v, acc[p][v]);
    }
  };
  const float* const starts = t.weights - kVectors * kWidth;
  const float* first = t.src;
  float* dst = t.dst;
  const char* next = t.prefetch;
  for (size_t tile = 0; tile < t.tiles; ++tile) {
    each([&](int, int v, __m512i& x) ONNXRUN_INLINE_LAMBDA { x = _mm512_loadu_si512(starts + v * kWidth); });
    const float* src = first;
    const float* weights = t.weights;
    for (size_t block = 0; block < t.channel_blocks; ++block) {
      const size_t groups = block + 1 == t.channel_blocks ? t.last_channels : static_cast<size_t>(kStep);
      for (const BlockedTap* tap = t.taps; tap != t.taps_end; ++tap) {
        const float* x = src + tap->src;
        const float* w = weights + tap->weights;
        if constexpr (!kPlain) prefetch(x + t.src_ahead);
        for (size_t c = 0; c < groups; ++c, ++x, w += kVectors * kWidth) {
          prefetch_l2(next);
          next += t.prefetch_step;
          __m512i wv[kVectors];
          ONNXRUN_UNROLL
          for (int v = 0; v < kVectors; ++v) wv[v] = _mm512_loadu_si512(w + v * kWidth);
          ONNXRUN_UNROLL
          for (int p = 0; p < kColumns; ++p) {
            const __m512i xv = broadcast(x + p * kStep);
            ONNXRUN_UNROLL
            for (int v = 0; v < kVectors; ++v) add_byte_products(acc[p][v], xv, wv[v]);
          }
        }
      }
      src += t.src_block_step;
      weights += t.weight_block_step;
    }
    const ByteTileEnd& end = *t.end;
    const auto place = [&](int p, int v) ONNXRUN_INLINE_LAMBDA { return dst + v * t.dst_vector_step + p * kOut; };
    if constexpr (kToFloats) {
      ONNXRUN_UNROLL
      for (int p = 0; p < kColumns; ++p) {
        ONNXRUN_UNROLL
        for (int v = 0; v < kVectors; ++v) _mm512_storeu_ps(place(p, v), number(acc[p][v], end, t.channel, v));
      }
    } else {
      constexpr int kFours = kColumns / 4 * 4;
      const ByteRange range(end);
      ONNXRUN_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        ONNXRUN_UNROLL
        for (int p = 0; p < kFours; p += 4) {
          const __m512 numbers[4] = {number(acc[p][v], end, t.channel, v), number(acc[p + 1][v], end, t.channel, v),
                                     number(acc[p + 2][v], end, t.channel, v),
                                     number(acc[p + 3][v], end, t.channel, v)};
          range.store_four(reinterpret_cast<uint8_t*>(place(p, v)), numbers);
        }
        ONNXRUN_UNROLL
        for (int p = kFours; p < kColumns; ++p)
          range.store(reinterpret_cast<uint8_t*>(place(p, v)), number(acc[p][v], end, t.channel, v));
      }
    }
    first += kColumns * kStep;
    dst += kColumns * kOut;
  }
}

template <bool kPlain, bool kToFloats, int kColumns>
constexpr void fill(ByteTileKernels& kernels) {
  auto& tiles = kernels.tiles[kPlain][kToFloats];
  tiles[0][kColumns - 1] = byte_tile<kPlain, kToFloats, kColumns, 1>;
  if constexpr (kColumns <= kPixels) tiles[1][kColumns - 1] = byte_tile<kPlain, kToFloats, kColumns, 2>;
  if constexpr (kColumns < kMaxBlockedPixels) fill<kPlain, kToFloats, kColumns + 1>(kernels);
}

constexpr ByteTileKernels make_kernels() {
  ByteTileKernels kernels;
  kernels.pixels = kPixels;
  kernels.single_pixels = kMaxBlockedPixels;
  fill<false, false, 1>(kernels);
  fill<false, true, 1>(kernels);
  fill<true, false, 1>(kernels);
  fill<true, true, 1>(kernels);
  return kernels;
}

}  // namespace

extern const ByteTileKernels kByteTileKernels;
constinit const ByteTileKernels kByteTileKernels = make_kernels();

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE

#endif
