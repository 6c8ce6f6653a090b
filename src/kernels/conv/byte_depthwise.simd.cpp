#include "kernels/conv/byte_depthwise.h"

#include "kernels/conv/byte_tile_end.h"

// For AVX512_VNNI alone.
#if defined(ONNXRUN_SIMD_avx512)

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {
namespace {

constexpr size_t kBlock = kLanes<int32_t>;
constexpr size_t kMaxRows = 4;

// Four neighbouring positions of a block of channels as four bytes of each channel.
ONNXRUN_INLINE __m512i load_quads(const uint8_t* src) noexcept {
  const __m512i order = _mm512_broadcast_i32x4(_mm_set_epi8(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0));
  return _mm512_shuffle_epi8(swap_groups_and_lanes(_mm512_loadu_si512(src)), order);
}

// kRows rows of outputs from kernels of so many rows and quads, and rows kStride apart; 0: known when it runs.
template <size_t kKernelRows, size_t kQuads, size_t kStride, size_t kRows>
void some_rows(const ByteDepthwiseTile& t, const uint8_t* src, uint8_t* dst) noexcept {
  constexpr bool kKnown = kKernelRows > 0;
  static_assert(kKnown || kRows == 1);
  const size_t kernel_rows = kKnown ? kKernelRows : t.kernel_rows;
  const size_t quads = kKnown ? kQuads : t.quads;
  const auto* starts = reinterpret_cast<const int32_t*>(t.weights);
  const auto* weights = reinterpret_cast<const uint8_t*>(starts + kBlock);
  const __m512i start = _mm512_loadu_si512(starts);
  const __m512 scale = _mm512_loadu_ps(t.end->scale + t.channel);
  const __m512 shift = _mm512_loadu_ps(t.end->shift + t.channel);
  const ByteRange range(*t.end);
  for (size_t column = 0; column < t.columns; ++column) {
    __m512i acc[kRows];
    ONNXRUN_UNROLL
    for (size_t o = 0; o < kRows; ++o) acc[o] = start;
    if constexpr (kKnown) {
      ONNXRUN_UNROLL
      for (size_t r = 0; r < (kRows - 1) * kStride + kKernelRows; ++r) {
        ONNXRUN_UNROLL
        for (size_t q = 0; q < kQuads; ++q) {
          const __m512i x = load_quads(src + r * t.row_bytes + q * 4 * kBlock);
          ONNXRUN_UNROLL
          for (size_t o = 0; o < kRows; ++o) {
            if (r < o * kStride || r - o * kStride >= kKernelRows) continue;
            const size_t at = (r - o * kStride) * kQuads + q;
            add_byte_products(acc[o], x, _mm512_loadu_si512(weights + at * 4 * kBlock));
          }
        }
      }
    } else {
      for (size_t r = 0; r < kernel_rows; ++r) {
        for (size_t q = 0; q < quads; ++q) {
          const __m512i x = load_quads(src + r * t.row_dilation * t.row_bytes + q * 4 * kBlock);
          add_byte_products(acc[0], x, _mm512_loadu_si512(weights + (r * quads + q) * 4 * kBlock));
        }
      }
    }
    ONNXRUN_UNROLL
    for (size_t o = 0; o < kRows; ++o) {
      range.store(dst + o * t.dst_row_bytes, _mm512_fmadd_ps(_mm512_cvtepi32_ps(acc[o]), scale, shift));
    }
    src += t.column_stride * kBlock;
    dst += kBlock;
  }
}

template <size_t kKernelRows, size_t kQuads, size_t kStride>
void all_rows(const ByteDepthwiseTile& t) noexcept {
  const size_t stride = kKernelRows > 0 ? kStride : t.row_stride;
  for (size_t row = 0; row < t.rows;) {
    const uint8_t* src = t.src + row * stride * t.row_bytes;
    uint8_t* dst = t.dst + row * t.dst_row_bytes;
    const size_t left = t.rows - row;
    if constexpr (kKernelRows > 0) {
      if (left >= kMaxRows) {
        some_rows<kKernelRows, kQuads, kStride, kMaxRows>(t, src, dst);
        row += kMaxRows;
        continue;
      }
      if (left > 1) {
        some_rows<kKernelRows, kQuads, kStride, 2>(t, src, dst);
        row += 2;
        continue;
      }
    }
    some_rows<kKernelRows, kQuads, kStride, 1>(t, src, dst);
    ++row;
  }
}

void run(const ByteDepthwiseTile& t) noexcept {
  const auto is = [&](size_t kernel_rows, size_t quads, size_t stride) {
    return t.kernel_rows == kernel_rows && t.quads == quads && t.row_stride == stride && t.row_dilation == 1;
  };
  if (is(3, 1, 1)) return all_rows<3, 1, 1>(t);
  if (is(3, 1, 2)) return all_rows<3, 1, 2>(t);
  if (is(5, 2, 1)) return all_rows<5, 2, 1>(t);
  if (is(5, 2, 2)) return all_rows<5, 2, 2>(t);
  all_rows<0, 0, 0>(t);
}

}  // namespace

extern const ByteDepthwiseKernel kByteDepthwiseKernel;
const ByteDepthwiseKernel kByteDepthwiseKernel = run;

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE

#endif
