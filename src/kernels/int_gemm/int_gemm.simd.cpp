#include "kernels/int_gemm/int_gemm.h"

#include <array>
#include <utility>

#include "kernels/simd.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {
namespace {

using VecI = Vec<int32_t>;
constexpr size_t kLane = kLanes<int32_t>;
constexpr size_t kVectors = 2;
constexpr size_t kColumns = kVectors * kLane;
#if defined(ONNXRUN_SIMD_avx512)
constexpr size_t kRows = 12;
#elif defined(ONNXRUN_SIMD_neon)
constexpr size_t kRows = 8;
#elif defined(ONNXRUN_SIMD_avx2)
constexpr size_t kRows = 6;
#else
constexpr size_t kRows = 4;
#endif

// sum + the products of pairs of int16 in each lane, added. kVnni: by the one instruction of AVX512_VNNI.
template <bool kVnni>
ONNXRUN_INLINE VecI add_pair_products(const VecI& sum, const VecI& a, const VecI& b) noexcept {
#if defined(ONNXRUN_SIMD_sse2)
  return sum + VecI(_mm_madd_epi16(a, b));
#elif defined(ONNXRUN_SIMD_avx2)
  return sum + VecI(_mm256_madd_epi16(a, b));
#elif defined(ONNXRUN_SIMD_avx512)
  if constexpr (kVnni) {
    auto result = sum.data;
    __asm__("vpdpwssd %2, %1, %0" : "+v"(result) : "v"(a.data), "v"(b.data));
    return result;
  }
  return sum + VecI(_mm512_madd_epi16(a, b));
#else
  const int16x8_t x = vreinterpretq_s16_s32(a);
  const int16x8_t y = vreinterpretq_s16_s32(b);
  return sum + VecI(vpaddq_s32(vmull_s16(vget_low_s16(x), vget_low_s16(y)), vmull_high_s16(x, y)));
#endif
}

ONNXRUN_INLINE int32_t load_pair(const int16_t* src) noexcept {
  int32_t pair;
  __builtin_memcpy(&pair, src, sizeof pair);
  return pair;
}

// B in panels, or spread out by offsets.
struct Panel {
  const int32_t* pairs;
  const int64_t* offsets;

  template <bool Spread>
  ONNXRUN_INLINE const int32_t* row(size_t pair) const noexcept {
    if constexpr (Spread) return pairs + offsets[pair];
    return pairs + pair * kColumns;
  }
};

template <size_t Rows, bool Spread, bool kVnni>
struct TileKernel {
  // C[Rows, columns] from rows of `k` elements, even, and one panel.
  static void run(const int16_t* rows, const Panel& panel, size_t k, size_t columns, int32_t* c,
                  ptrdiff_t c_row_stride) noexcept {
    VecI sums[Rows][kVectors];
    ONNXRUN_UNROLL
    for (size_t i = 0; i < Rows; ++i) {
      ONNXRUN_UNROLL
      for (size_t v = 0; v < kVectors; ++v) sums[i][v] = VecI(0);
    }
    for (size_t p = 0; p < k; p += 2) {
      const int32_t* b = panel.row<Spread>(p / 2);
      VecI columns_of_b[kVectors];
      ONNXRUN_UNROLL
      for (size_t v = 0; v < kVectors; ++v) columns_of_b[v] = load(b + v * kLane);
      ONNXRUN_UNROLL
      for (size_t i = 0; i < Rows; ++i) {
        const VecI a(load_pair(rows + i * k + p));
        ONNXRUN_UNROLL
        for (size_t v = 0; v < kVectors; ++v) sums[i][v] = add_pair_products<kVnni>(sums[i][v], a, columns_of_b[v]);
      }
    }
    ONNXRUN_UNROLL
    for (size_t i = 0; i < Rows; ++i) {
      int32_t* to = c + static_cast<ptrdiff_t>(i) * c_row_stride;
      if (columns == kColumns) {
        ONNXRUN_UNROLL
        for (size_t v = 0; v < kVectors; ++v) store(to + v * kLane, sums[i][v]);
      } else {
        alignas(64) int32_t lanes[kColumns];
        ONNXRUN_UNROLL
        for (size_t v = 0; v < kVectors; ++v) sums[i][v].store_aligned(lanes + v * kLane);
        for (size_t j = 0; j < columns; ++j) to[j] = lanes[j];
      }
    }
  }
};

using Tile = void (*)(const int16_t*, const Panel&, size_t, size_t, int32_t*, ptrdiff_t) noexcept;
template <bool Spread, bool kVnni, size_t... Less>
constexpr std::array<Tile, sizeof...(Less)> tiles_of(std::index_sequence<Less...>) {
  return {TileKernel<Less + 1, Spread, kVnni>::run...};
}
template <bool Spread, bool kVnni>
void run_tiles(const int16_t* rows, const int16_t* b, const int64_t* offsets, size_t m, size_t n, size_t k, int32_t* c,
               ptrdiff_t c_row_stride) noexcept {
  static constexpr auto kTiles = tiles_of<Spread, kVnni>(std::make_index_sequence<kRows>());
  const size_t padded = IntGemmKernels::padded_k(k);
  Panel panel = {reinterpret_cast<const int32_t*>(b), offsets};
  for (size_t column = 0; column < n; column += kColumns) {
    const size_t columns = n - column < kColumns ? n - column : kColumns;
    for (size_t row = 0; row < m; row += kRows) {
      const size_t count = m - row < kRows ? m - row : kRows;
      kTiles[count - 1](rows + row * padded, panel, padded, columns,
                        c + static_cast<ptrdiff_t>(row) * c_row_stride + column, c_row_stride);
    }
    panel.pairs += Spread ? kColumns : padded / 2 * kColumns;
  }
}

template <bool kVnni>
void run(const int16_t* rows, const int16_t* panels, size_t m, size_t n, size_t k, int32_t* c,
         ptrdiff_t c_row_stride) noexcept {
  run_tiles<false, kVnni>(rows, panels, nullptr, m, n, k, c, c_row_stride);
}

template <bool kVnni>
void run_spread(const int16_t* rows, const int16_t* b, const int64_t* offsets, size_t m, size_t n, size_t k, int32_t* c,
                ptrdiff_t c_row_stride) noexcept {
  run_tiles<true, kVnni>(rows, b, offsets, m, n, k, c, c_row_stride);
}

template <class T>
void pack_rows_of(const Int8Matrix& a, const T* zero, ptrdiff_t zero_step, size_t rows, size_t k,
                  int16_t* dst) noexcept {
  const size_t padded = IntGemmKernels::padded_k(k);
  for (size_t i = 0; i < rows; ++i, dst += padded) {
    const T* src = static_cast<const T*>(a.data) + static_cast<ptrdiff_t>(i) * a.row_stride;
    const auto less = static_cast<int16_t>(zero ? zero[static_cast<ptrdiff_t>(i) * zero_step] : 0);
    if (a.col_stride == 1) {
      for (size_t p = 0; p < k; ++p) dst[p] = static_cast<int16_t>(src[p] - less);
    } else {
      for (size_t p = 0; p < k; ++p)
        dst[p] = static_cast<int16_t>(src[static_cast<ptrdiff_t>(p) * a.col_stride] - less);
    }
    if (padded != k) dst[k] = 0;
  }
}

void pack_rows(const Int8Matrix& a, const void* zero, ptrdiff_t zero_step, size_t rows, size_t k,
               int16_t* dst) noexcept {
  if (a.is_signed) return pack_rows_of(a, static_cast<const int8_t*>(zero), zero_step, rows, k, dst);
  pack_rows_of(a, static_cast<const uint8_t*>(zero), zero_step, rows, k, dst);
}

template <class T>
void widen_pairs_of(const T* even, const T* odd, ptrdiff_t step, int16_t zero, size_t n, int16_t* dst) noexcept {
  if (step == 1 && odd) {
    for (size_t i = 0; i < n; ++i) {
      dst[2 * i] = static_cast<int16_t>(even[i] - zero);
      dst[2 * i + 1] = static_cast<int16_t>(odd[i] - zero);
    }
    return;
  }
  for (size_t i = 0; i < n; ++i) {
    const ptrdiff_t at = static_cast<ptrdiff_t>(i) * step;
    dst[2 * i] = static_cast<int16_t>(even[at] - zero);
    dst[2 * i + 1] = static_cast<int16_t>(odd ? odd[at] - zero : 0);
  }
}

void widen_pairs(const void* even, const void* odd, bool is_signed, ptrdiff_t step, int16_t zero, size_t n,
                 int16_t* dst) noexcept {
  if (is_signed) {
    return widen_pairs_of(static_cast<const int8_t*>(even), static_cast<const int8_t*>(odd), step, zero, n, dst);
  }
  widen_pairs_of(static_cast<const uint8_t*>(even), static_cast<const uint8_t*>(odd), step, zero, n, dst);
}

template <class T>
void pack_panel_of(const Int8Matrix& b, const T* zero, ptrdiff_t zero_step, size_t k, size_t columns,
                   int16_t* dst) noexcept {
  int16_t less[kColumns] = {};
  if (zero) {
    for (size_t j = 0; j < columns; ++j) less[j] = static_cast<int16_t>(zero[static_cast<ptrdiff_t>(j) * zero_step]);
  }
  for (size_t p = 0; p < k; p += 2, dst += 2 * kColumns) {
    int16_t pair[2][kColumns] = {};
    for (size_t r = 0; r < 2 && p + r < k; ++r) {
      const T* src = static_cast<const T*>(b.data) + static_cast<ptrdiff_t>(p + r) * b.row_stride;
      if (columns == kColumns && b.col_stride == 1) {
        for (size_t j = 0; j < kColumns; ++j) pair[r][j] = static_cast<int16_t>(src[j] - less[j]);
      } else {
        for (size_t j = 0; j < columns; ++j)
          pair[r][j] = static_cast<int16_t>(src[static_cast<ptrdiff_t>(j) * b.col_stride] - less[j]);
      }
    }
    for (size_t j = 0; j < kColumns; ++j) {
      dst[2 * j] = pair[0][j];
      dst[2 * j + 1] = pair[1][j];
    }
  }
}

void pack_panel(const Int8Matrix& b, const void* zero, ptrdiff_t zero_step, size_t k, size_t columns,
                int16_t* dst) noexcept {
  if (b.is_signed) return pack_panel_of(b, static_cast<const int8_t*>(zero), zero_step, k, columns, dst);
  pack_panel_of(b, static_cast<const uint8_t*>(zero), zero_step, k, columns, dst);
}

template <bool kVnni>
constexpr IntGemmKernels kKernels = {kRows,       kColumns,   pack_rows,        pack_panel,
                                     widen_pairs, run<kVnni>, run_spread<kVnni>};

}  // namespace

extern const IntGemmKernels kIntGemmKernels;
const IntGemmKernels kIntGemmKernels = kKernels<false>;
#if defined(ONNXRUN_SIMD_avx512)
extern const IntGemmKernels kIntGemmVnniKernels;
const IntGemmKernels kIntGemmVnniKernels = kKernels<true>;
#endif

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
