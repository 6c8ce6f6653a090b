#include "kernels/int_gemm/int_gemm.h"

#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "kernels/byte_products.h"
#include "kernels/simd.h"
#include "kernels/transpose/transpose.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {

extern const TransposeF32 kTransposeF32;

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

// A few rows leave registers free: then a tile spans several panels.
constexpr size_t kWideRows = 2;
constexpr size_t wide_panels(size_t rows) { return rows == 1 ? 4 : 3; }

// sum + the products of pairs of int16 in each lane, added.
ONNXRUN_INLINE VecI add_pair_products(const VecI& sum, const VecI& a, const VecI& b) noexcept {
#if defined(ONNXRUN_SIMD_sse2)
  return sum + VecI(_mm_madd_epi16(a, b));
#elif defined(ONNXRUN_SIMD_avx2)
  return sum + VecI(_mm256_madd_epi16(a, b));
#elif defined(ONNXRUN_SIMD_avx512)
  return sum + VecI(_mm512_madd_epi16(a, b));
#else
  const int16x8_t x = vreinterpretq_s16_s32(a);
  const int16x8_t y = vreinterpretq_s16_s32(b);
  return sum + VecI(vpaddq_s32(vmull_s16(vget_low_s16(x), vget_low_s16(y)), vmull_high_s16(x, y)));
#endif
}

// Pairs of bytes as pairs of int16, one a lane.
ONNXRUN_INLINE VecI load_pairs_of_bytes(const int8_t* src) noexcept {
#if defined(ONNXRUN_SIMD_sse2)
  const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(src));
  return VecI(_mm_srai_epi16(_mm_unpacklo_epi8(bytes, bytes), 8));
#elif defined(ONNXRUN_SIMD_avx2)
  return VecI(_mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(src))));
#elif defined(ONNXRUN_SIMD_avx512)
  return VecI(_mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(src))));
#else
  return VecI(vreinterpretq_s32_s16(vmovl_s8(vld1_s8(src))));
#endif
}

ONNXRUN_INLINE int32_t load_number(const void* src) noexcept {
  int32_t number;
  __builtin_memcpy(&number, src, sizeof number);
  return number;
}

// How rows and panels are packed: A as int16 less its zero points, B as signed bytes.
struct Pairs {
  static constexpr size_t kGroup = 2;
  static constexpr bool kKeepsZeros = false;  // of rows
  using Element = int16_t;                    // of a packed row

  template <class T>
  static Element pack(T x, int32_t zero) noexcept {
    return static_cast<Element>(x - zero);
  }
  // Of what is left in a packed row.
  template <class T>
  static int32_t zero(int32_t /*zero*/) noexcept {
    return 0;
  }
  static ONNXRUN_INLINE VecI load_group(const int8_t* src) noexcept { return load_pairs_of_bytes(src); }
  static ONNXRUN_INLINE VecI add(const VecI& sum, const VecI& a, const VecI& b) noexcept {
    return add_pair_products(sum, a, b);
  }
};

#if defined(ONNXRUN_SIMD_avx512)
// For AVX512_VNNI: A as unsigned bytes, B as signed ones.
struct Quads {
  static constexpr size_t kGroup = 4;
  static constexpr bool kKeepsZeros = true;
  using Element = uint8_t;

  template <class T>
  static Element pack(T x, int32_t /*zero*/) noexcept {
    return static_cast<Element>(x + (std::is_signed_v<T> ? 128 : 0));
  }
  template <class T>
  static int32_t zero(int32_t zero) noexcept {
    return zero + (std::is_signed_v<T> ? 128 : 0);
  }
  static ONNXRUN_INLINE VecI load_group(const int8_t* src) noexcept { return VecI(_mm512_loadu_si512(src)); }
  static ONNXRUN_INLINE VecI add(const VecI& sum, const VecI& a, const VecI& b) noexcept {
    __m512i result = sum.data;
    add_byte_products(result, a.data, b.data);
    return result;
  }
};
#endif

// What stands before the groups of a packed row and, for each column, before those of a panel.
struct Head {
  int32_t zero;
  int32_t sum;  // of a row: of its elements less their zero points; of a column: of its bytes
};
constexpr size_t kPanelHead = kColumns * sizeof(Head);  // zeros, then sums

// Neighbouring panels.
struct Panels {
  const std::byte* data;
  size_t bytes;  // of one panel

  const int32_t* zeros(size_t panel) const noexcept { return reinterpret_cast<const int32_t*>(data + panel * bytes); }
  const int32_t* sums(size_t panel) const noexcept { return zeros(panel) + kColumns; }
  const int8_t* groups(size_t panel) const noexcept {
    return reinterpret_cast<const int8_t*>(data + panel * bytes + kPanelHead);
  }
  bool has_zeros(size_t panel) const noexcept {
    int32_t any = 0;
    for (size_t j = 0; j < kColumns; ++j) any |= zeros(panel)[j];
    return any != 0;
  }
};

// Writes the first `columns` of a row of kCount vectors.
template <size_t kCount>
ONNXRUN_INLINE void store_row(const VecI (&row)[kCount], size_t columns, int32_t* dst) noexcept {
  if (columns == kCount * kLane) {
    ONNXRUN_UNROLL
    for (size_t v = 0; v < kCount; ++v) store(dst + v * kLane, row[v]);
    return;
  }
  alignas(64) int32_t lanes[kCount * kLane];
  ONNXRUN_UNROLL
  for (size_t v = 0; v < kCount; ++v) row[v].store_aligned(lanes + v * kLane);
  for (size_t j = 0; j < columns; ++j) dst[j] = lanes[j];
}

template <class Packed, size_t kTileRows, size_t kPanels>
struct TileKernel {
  static constexpr size_t kCount = kPanels * kVectors;

  // C[kTileRows, columns] from rows of `groups` groups and neighbouring panels.
  static void run(const std::byte* rows, const Panels& panels, size_t groups, size_t columns, bool has_zeros,
                  int32_t* c, ptrdiff_t c_row_stride) noexcept {
    const size_t row_bytes = sizeof(Head) + groups * 4;
    VecI sums[kTileRows][kCount];
    ONNXRUN_UNROLL
    for (size_t i = 0; i < kTileRows; ++i) {
      ONNXRUN_UNROLL
      for (size_t v = 0; v < kCount; ++v) sums[i][v] = VecI(0);
    }
    if (has_zeros) {
      ONNXRUN_UNROLL
      for (size_t i = 0; i < kTileRows; ++i) {
        Head head;
        __builtin_memcpy(&head, rows + i * row_bytes, sizeof head);
        ONNXRUN_UNROLL
        for (size_t v = 0; v < kCount; ++v) {
          const size_t panel = v / kVectors, lane = v % kVectors * kLane;
          sums[i][v] = sums[i][v] - VecI(head.zero) * load(panels.sums(panel) + lane) -
                       VecI(head.sum) * load(panels.zeros(panel) + lane);
        }
      }
    }
    const int8_t* b[kPanels];
    ONNXRUN_UNROLL
    for (size_t p = 0; p < kPanels; ++p) b[p] = panels.groups(p);
    const std::byte* a = rows + sizeof(Head);
    for (size_t group = 0; group < groups; ++group, a += 4) {
      const auto load_b = [&](size_t v) ONNXRUN_INLINE_LAMBDA {
        return Packed::load_group(b[v / kVectors] + v % kVectors * kLane * Packed::kGroup);
      };
      const auto load_a = [&](size_t i) ONNXRUN_INLINE_LAMBDA { return VecI(load_number(a + i * row_bytes)); };
      if constexpr (kPanels > 1) {
        VecI element[kTileRows];
        ONNXRUN_UNROLL
        for (size_t i = 0; i < kTileRows; ++i) element[i] = load_a(i);
        ONNXRUN_UNROLL
        for (size_t v = 0; v < kCount; ++v) {
          const VecI column = load_b(v);
          ONNXRUN_UNROLL
          for (size_t i = 0; i < kTileRows; ++i) sums[i][v] = Packed::add(sums[i][v], element[i], column);
        }
      } else {
        VecI columns_of_b[kCount];
        ONNXRUN_UNROLL
        for (size_t v = 0; v < kCount; ++v) columns_of_b[v] = load_b(v);
        ONNXRUN_UNROLL
        for (size_t i = 0; i < kTileRows; ++i) {
          const VecI element = load_a(i);
          ONNXRUN_UNROLL
          for (size_t v = 0; v < kCount; ++v) sums[i][v] = Packed::add(sums[i][v], element, columns_of_b[v]);
        }
      }
      ONNXRUN_UNROLL
      for (size_t p = 0; p < kPanels; ++p) b[p] += kColumns * Packed::kGroup;
    }
    ONNXRUN_UNROLL
    for (size_t i = 0; i < kTileRows; ++i) {
      store_row(sums[i], columns, c + static_cast<ptrdiff_t>(i) * c_row_stride);
    }
  }
};

using Tile = void (*)(const std::byte*, const Panels&, size_t, size_t, bool, int32_t*, ptrdiff_t) noexcept;
template <class Packed, size_t... Less>
constexpr std::array<Tile, sizeof...(Less)> tiles_of(std::index_sequence<Less...>) {
  return {TileKernel<Packed, Less + 1, 1>::run...};
}
template <class Packed, size_t... Less>
constexpr std::array<Tile, sizeof...(Less)> wide_tiles_of(std::index_sequence<Less...>) {
  return {TileKernel<Packed, Less + 1, wide_panels(Less + 1)>::run...};
}

template <class Packed>
void run(const std::byte* rows, const std::byte* packed, size_t m, size_t n, size_t k, int32_t* c,
         ptrdiff_t c_row_stride) noexcept {
  static constexpr auto kTiles = tiles_of<Packed>(std::make_index_sequence<kRows>());
  static constexpr auto kWide = wide_tiles_of<Packed>(std::make_index_sequence<kWideRows>());
  const size_t groups = (k + Packed::kGroup - 1) / Packed::kGroup;
  const size_t row_bytes = sizeof(Head) + groups * 4;
  Panels panels = {packed, kPanelHead + groups * kColumns * Packed::kGroup};
  const size_t wide = m <= kWideRows ? wide_panels(m) : 1;
  for (size_t column = 0; column < n;) {
    const size_t count = column + wide * kColumns <= n ? wide : 1;
    const size_t columns = n - column < count * kColumns ? n - column : count * kColumns;
    bool has_zeros = Packed::kKeepsZeros;
    for (size_t panel = 0; panel < count; ++panel) has_zeros = has_zeros || panels.has_zeros(panel);
    for (size_t row = 0; row < m; row += kRows) {
      const size_t height = m - row < kRows ? m - row : kRows;
      const Tile tile = count > 1 ? kWide[height - 1] : kTiles[height - 1];
      tile(rows + row * row_bytes, panels, groups, columns, has_zeros,
           c + static_cast<ptrdiff_t>(row) * c_row_stride + column, c_row_stride);
    }
    panels.data += count * panels.bytes;
    column += columns;
  }
}

template <class Packed, class T>
void pack_rows_of(const Int8Matrix& a, const T* zero, ptrdiff_t zero_step, size_t rows, size_t k,
                  std::byte* dst) noexcept {
  using Element = typename Packed::Element;
  const size_t padded = (k + Packed::kGroup - 1) / Packed::kGroup * Packed::kGroup;
  for (size_t i = 0; i < rows; ++i, dst += sizeof(Head) + padded * sizeof(Element)) {
    const T* src = static_cast<const T*>(a.data) + static_cast<ptrdiff_t>(i) * a.row_stride;
    const int32_t less = zero ? zero[static_cast<ptrdiff_t>(i) * zero_step] : 0;
    auto* to = reinterpret_cast<Element*>(dst + sizeof(Head));
    uint32_t sum = 0;
    if (a.col_stride == 1) {
      for (size_t p = 0; p < k; ++p) to[p] = Packed::pack(src[p], less);
      for (size_t p = 0; p < k; ++p) sum += static_cast<uint32_t>(src[p]);
    } else {
      for (size_t p = 0; p < k; ++p) {
        const T x = src[static_cast<ptrdiff_t>(p) * a.col_stride];
        to[p] = Packed::pack(x, less);
        sum += static_cast<uint32_t>(x);
      }
    }
    for (size_t p = k; p < padded; ++p) to[p] = 0;
    sum -= static_cast<uint32_t>(k) * static_cast<uint32_t>(less);
    const Head head = {Packed::template zero<T>(less), static_cast<int32_t>(sum)};
    __builtin_memcpy(dst, &head, sizeof head);
  }
}

template <class Packed>
void pack_rows(const Int8Matrix& a, const void* zero, ptrdiff_t zero_step, size_t rows, size_t k,
               std::byte* dst) noexcept {
  if (a.is_signed) return pack_rows_of<Packed>(a, static_cast<const int8_t*>(zero), zero_step, rows, k, dst);
  pack_rows_of<Packed>(a, static_cast<const uint8_t*>(zero), zero_step, rows, k, dst);
}

template <class Packed, class T>
void interleave_planes(const void* const* planes, ptrdiff_t step, size_t n, int8_t* __restrict dst) noexcept {
  constexpr int kShift = std::is_signed_v<T> ? 0 : 128;
  const T* from[Packed::kGroup];
  for (size_t r = 0; r < Packed::kGroup; ++r) from[r] = static_cast<const T*>(planes[r]);
  if (step == 1) {
    for (size_t i = 0; i < n; ++i) {
      ONNXRUN_UNROLL
      for (size_t r = 0; r < Packed::kGroup; ++r) {
        dst[i * Packed::kGroup + r] = static_cast<int8_t>(from[r][i] - kShift);
      }
    }
    return;
  }
  for (size_t i = 0; i < n; ++i) {
    for (size_t r = 0; r < Packed::kGroup; ++r) {
      dst[i * Packed::kGroup + r] = static_cast<int8_t>(from[r][static_cast<ptrdiff_t>(i) * step] - kShift);
    }
  }
}

template <class Packed, class T>
void pack_panel_of(const Int8Matrix& b, const T* zero, ptrdiff_t zero_step, size_t k, size_t columns,
                   std::byte* dst) noexcept {
  constexpr int kShift = std::is_signed_v<T> ? 0 : 128;  // what makes signed bytes of unsigned ones
  constexpr size_t kGroup = Packed::kGroup;
  const auto row_stride = b.row_stride, col_stride = b.col_stride;
  auto* zeros = reinterpret_cast<int32_t*>(dst);
  auto* sums = reinterpret_cast<uint32_t*>(zeros + kColumns);
  for (size_t j = 0; j < kColumns; ++j) {
    zeros[j] = j < columns && zero ? zero[static_cast<ptrdiff_t>(j) * zero_step] - kShift : j < columns ? -kShift : 0;
  }
  const auto* src = static_cast<const T*>(b.data);
  auto* to = reinterpret_cast<int8_t*>(dst + kPanelHead);
  constexpr ptrdiff_t kFloat = sizeof(float);
  size_t done = 0;
  if (kGroup == kFloat && kShift == 0 && row_stride == 1 && col_stride % kFloat == 0) {  // groups lie in one piece
    const size_t groups = k / kGroup;
    done = groups * kGroup;
    __builtin_memset(to, 0, columns < kColumns ? done * kColumns : 0);
    kTransposeF32(reinterpret_cast<const float*>(src), col_stride / kFloat, columns, groups,
                  reinterpret_cast<float*>(to), static_cast<ptrdiff_t>(kColumns));
  } else if (columns == kColumns && col_stride == 1) {
    for (; done + kGroup <= k; done += kGroup) {
      const void* planes[kGroup];
      for (size_t r = 0; r < kGroup; ++r) planes[r] = src + static_cast<ptrdiff_t>(done + r) * row_stride;
      interleave_planes<Packed, T>(planes, 1, kColumns, to + done * kColumns);
    }
  }
  for (size_t p = done; p < k; p += kGroup) {
    for (size_t j = 0; j < kColumns; ++j) {
      for (size_t r = 0; r < kGroup; ++r) {
        const bool is_there = j < columns && p + r < k;
        const ptrdiff_t at = static_cast<ptrdiff_t>(p + r) * row_stride + static_cast<ptrdiff_t>(j) * col_stride;
        to[(p * kColumns) + j * kGroup + r] = is_there ? static_cast<int8_t>(src[at] - kShift) : int8_t{0};
      }
    }
  }
  for (size_t j = 0; j < kColumns; ++j) sums[j] = 0;
  for (size_t p = 0; p < k; p += kGroup, to += kGroup * kColumns) {
    for (size_t j = 0; j < kColumns; ++j) {
      int32_t sum = 0;
      ONNXRUN_UNROLL
      for (size_t r = 0; r < kGroup; ++r) sum += to[j * kGroup + r];
      sums[j] += static_cast<uint32_t>(sum);
    }
  }
}

template <class Packed>
void pack_panel(const Int8Matrix& b, const void* zero, ptrdiff_t zero_step, size_t k, size_t columns,
                std::byte* dst) noexcept {
  if (b.is_signed) return pack_panel_of<Packed>(b, static_cast<const int8_t*>(zero), zero_step, k, columns, dst);
  pack_panel_of<Packed>(b, static_cast<const uint8_t*>(zero), zero_step, k, columns, dst);
}

template <class Packed>
void interleave(const void* const* planes, bool is_signed, ptrdiff_t step, size_t n, int8_t* dst) noexcept {
  if (is_signed) return interleave_planes<Packed, int8_t>(planes, step, n, dst);
  interleave_planes<Packed, uint8_t>(planes, step, n, dst);
}

template <class Packed>
void gather_panel(const int8_t* src, const int64_t* offsets, size_t groups, int32_t zero, std::byte* dst) noexcept {
  constexpr size_t kBytes = kColumns * Packed::kGroup;
  auto* zeros = reinterpret_cast<int32_t*>(dst);
  for (size_t j = 0; j < kColumns; ++j) zeros[j] = zero;
  VecI sums[kVectors];
  for (VecI& sum : sums) sum = VecI(0);
  std::byte* to = dst + kPanelHead;
  for (size_t p = 0; p < groups; ++p, to += kBytes) {
    __builtin_memcpy(to, src + offsets[p] * static_cast<ptrdiff_t>(Packed::kGroup), kBytes);
    if constexpr (Packed::kKeepsZeros) {
      ONNXRUN_UNROLL
      for (size_t v = 0; v < kVectors; ++v) {
        const auto* group = reinterpret_cast<const int8_t*>(to) + v * kLane * Packed::kGroup;
        sums[v] = Packed::add(sums[v], VecI(0x01010101), Packed::load_group(group));
      }
    }
  }
  ONNXRUN_UNROLL
  for (size_t v = 0; v < kVectors; ++v) store(zeros + kColumns + v * kLane, sums[v]);
}

void to_signed(const void* plane, bool is_signed, ptrdiff_t step, size_t n, int8_t* __restrict dst) noexcept {
  const auto* src = static_cast<const uint8_t*>(plane);
  const uint8_t flip = is_signed ? 0 : 128;
  if (step == 1) {
    for (size_t i = 0; i < n; ++i) dst[i] = static_cast<int8_t>(src[i] ^ flip);
  } else {
    for (size_t i = 0; i < n; ++i) dst[i] = static_cast<int8_t>(src[static_cast<ptrdiff_t>(i) * step] ^ flip);
  }
}

// A byte in each lane.
ONNXRUN_INLINE VecI load_bytes(const int8_t* src) noexcept {
#if defined(ONNXRUN_SIMD_sse2)
  const __m128i bytes = _mm_cvtsi32_si128(load_number(src));
  const __m128i pairs = _mm_srai_epi16(_mm_unpacklo_epi8(bytes, bytes), 8);
  return VecI(_mm_srai_epi32(_mm_unpacklo_epi16(pairs, pairs), 16));
#elif defined(ONNXRUN_SIMD_avx2)
  return VecI(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(src))));
#elif defined(ONNXRUN_SIMD_avx512)
  return VecI(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(src))));
#else
  int32_t bytes = load_number(src);
  return VecI(vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_s32(vdup_n_s32(bytes))))));
#endif
}

template <size_t kCount>
ONNXRUN_INLINE void weigh_lanes(const int8_t* src, const int64_t* offsets, const int32_t* weights, size_t taps,
                                int32_t less, int32_t* dst) noexcept {
  VecI sums[kCount];
  ONNXRUN_UNROLL
  for (size_t v = 0; v < kCount; ++v) sums[v] = VecI(-less);
  for (size_t t = 0; t < taps; ++t) {
    const VecI weight(weights[t]);
    ONNXRUN_UNROLL
    for (size_t v = 0; v < kCount; ++v) sums[v] = sums[v] + weight * load_bytes(src + offsets[t] + v * kLane);
  }
  ONNXRUN_UNROLL
  for (size_t v = 0; v < kCount; ++v) store(dst + v * kLane, sums[v]);
}

void weigh_taps(const int8_t* src, const int64_t* offsets, const int32_t* weights, size_t taps, int32_t less, size_t n,
                int32_t* sums) noexcept {
  constexpr size_t kAtOnce = 4;
  // The last lanes of a row overlap those before.
  const auto sweep = [&]<size_t kCount>() {
    constexpr size_t kStep = kCount * kLane;
    for (size_t j = 0; j < n; j += kStep) {
      const size_t at = j + kStep <= n ? j : n - kStep;
      weigh_lanes<kCount>(src + at, offsets, weights, taps, less, sums + at);
    }
  };
  if (n >= kAtOnce * kLane) return sweep.template operator()<kAtOnce>();
  if (n >= kLane) return sweep.template operator()<1>();
  for (size_t j = 0; j < n; ++j) {
    int32_t sum = -less;
    for (size_t t = 0; t < taps; ++t) sum += weights[t] * src[offsets[t] + static_cast<ptrdiff_t>(j)];
    sums[j] = sum;
  }
}

template <class Packed>
constexpr IntGemmKernels kKernels = {
    kRows,       kColumns,           Packed::kGroup,       pack_rows<Packed>, pack_panel<Packed>,
    run<Packed>, interleave<Packed>, gather_panel<Packed>, to_signed,         weigh_taps};

}  // namespace

extern const IntGemmKernels kIntGemmKernels;
const IntGemmKernels kIntGemmKernels = kKernels<Pairs>;
#if defined(ONNXRUN_SIMD_avx512)
extern const IntGemmKernels kIntGemmVnniKernels;
const IntGemmKernels kIntGemmVnniKernels = kKernels<Quads>;
#endif

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
