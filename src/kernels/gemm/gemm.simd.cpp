#include "kernels/gemm/gemm.h"

#include "kernels/gemm/micro_kernel.h"
#include "kernels/transpose/transpose.h"
#include "kernels/unary/epilogue_row.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {

extern const TransposeF32 kTransposeF32;

namespace {

// Between two visits of C so many steps of k, that a stretch of a panel stays in the first level cache; or, where a
// step has so many multiply-adds that the second level is fast enough, in that.
#if defined(ONNXRUN_SIMD_avx512)
constexpr size_t kMaxStretchBytes = size_t{192} * 1024;
#else
constexpr size_t kMaxStretchBytes = size_t{24} * 1024;
#endif
// A few rows leave registers free: then a tile spans several panels, so that more loads are in flight; two where the
// matrix does not stay in the second level cache, for as many streams are read ahead.
constexpr int kWideRows = 3;
constexpr int kMaxWidePanels = 4, kFarPanels = 2;
constexpr size_t kFarBytes = size_t{768} * 1024;

constexpr int wide_panels(int rows, bool is_far) {
  const int panels = kTileAccumulators / (rows * kTileVectors);
  const int most = is_far ? kFarPanels : kMaxWidePanels;
  return panels < most ? panels : most;
}

constexpr size_t ceil_div(size_t a, size_t b) { return (a + b - 1) / b; }
constexpr size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

// Rows [begin, end) of a panel whose columns lie side by side.
template <class T>
void pack_rows(const T* src, ptrdiff_t row_stride, size_t begin, size_t end, T* dst) noexcept {
  for (size_t r = begin; r < end; ++r) {
    ONNXRUN_UNROLL
    for (int v = 0; v < kTileVectors; ++v) {
      store(dst + r * kPanelColumns<T> + v * kLanes<T>,
            load(src + static_cast<ptrdiff_t>(r) * row_stride + v * kLanes<T>));
    }
  }
}

// Rows of a panel of fewer columns, which lie side by side; zeros behind them.
template <class T>
void pack_short_rows(const T* src, ptrdiff_t row_stride, size_t rows, size_t columns, T* dst) noexcept {
  const size_t whole = columns / kLanes<T>;
  const size_t tail = columns % kLanes<T>;
  for (size_t r = 0; r < rows; ++r, src += row_stride, dst += kPanelColumns<T>) {
    for (size_t v = 0; v < kTileVectors; ++v) {
      const size_t at = v * kLanes<T>;
      const bool is_tail = v == whole && tail > 0;
      store(dst + at, v < whole ? load(src + at) : is_tail ? load_partial(src + at, tail) : Vec<T>(T{0}));
    }
  }
}

// Columns of a panel, each of which lies in one piece; zeros where there are fewer.
void pack_columns(const float* src, ptrdiff_t col_stride, size_t k, size_t columns, float* dst) noexcept {
  constexpr size_t kColumns = kPanelColumns<float>;
  kTransposeF32(src, col_stride, columns, k, dst, static_cast<ptrdiff_t>(kColumns));
  for (size_t p = 0; columns < kColumns && p < k; ++p) {
    for (size_t j = columns; j < kColumns; ++j) dst[p * kColumns + j] = 0;
  }
}

// A panel of any strides.
template <class T>
void pack_elements(const T* src, ptrdiff_t row_stride, ptrdiff_t col_stride, size_t k, size_t columns,
                   T* dst) noexcept {
  constexpr size_t kColumns = kPanelColumns<T>;
  constexpr size_t kRowsAtOnce = 16;  // a column's stretch is read and the lines written stay in the cache
  for (size_t p = 0; p < k; p += kRowsAtOnce) {
    const size_t rows = smaller(kRowsAtOnce, k - p);
    for (size_t j = 0; j < kColumns; ++j) {
      for (size_t r = p; r < p + rows; ++r) {
        T value{0};  // from any address
        const T* from = src + static_cast<ptrdiff_t>(r) * row_stride + static_cast<ptrdiff_t>(j) * col_stride;
        if (j < columns) __builtin_memcpy(&value, from, sizeof(T));
        dst[r * kColumns + j] = value;
      }
    }
  }
}

template <class T>
void pack_b(const T* b, ptrdiff_t row_stride, ptrdiff_t col_stride, size_t k, size_t n, size_t panel_begin,
            size_t panel_end, T* dst) noexcept {
  constexpr size_t kColumns = kPanelColumns<T>;
  const auto src = [&](size_t panel) { return b + static_cast<ptrdiff_t>(panel * kColumns) * col_stride; };
  const size_t whole_end = smaller(panel_end, n / kColumns);
  // Stretches of rows for all panels, so that neighbouring columns are read together.
  constexpr size_t kRowsAtOnce = 32;
  for (size_t p = 0; col_stride == 1 && p < k; p += kRowsAtOnce) {
    for (size_t panel = panel_begin; panel < whole_end; ++panel) {
      pack_rows(src(panel), row_stride, p, smaller(k, p + kRowsAtOnce), dst + panel * kColumns * k);
    }
  }
  for (size_t panel = panel_begin; panel < panel_end; ++panel) {
    if (col_stride == 1 && panel < whole_end) continue;
    T* to = dst + panel * kColumns * k;
    const size_t columns = smaller(kColumns, n - panel * kColumns);
    if (col_stride == 1) {
      pack_short_rows(src(panel), row_stride, k, columns, to);
      continue;
    }
    if constexpr (sizeof(T) == sizeof(float)) {
      if (row_stride == 1) {
        pack_columns(src(panel), col_stride, k, columns, to);
        continue;
      }
    }
    pack_elements(src(panel), row_stride, col_stride, k, columns, to);
  }
}

constexpr TileTable<float, false> kTilesF32;
constexpr TileTable<double, false> kTilesF64;
template <class T>
TileFunction<T> narrow_tile(size_t rows, size_t vectors) noexcept {
  if constexpr (sizeof(T) == sizeof(float)) {
    return kTilesF32.functions[rows - 1][vectors - 1];
  } else {
    return kTilesF64.functions[rows - 1][vectors - 1];
  }
}
template <class T>
TileFunction<T> wide_tile(size_t rows, bool is_far) noexcept {
  static constexpr TileFunction<T> kFunctions[kWideRows][2] = {
      {TileKernel<T, 1, wide_panels(1, false) * kTileVectors, false>::run,
       TileKernel<T, 1, wide_panels(1, true) * kTileVectors, false>::run},
      {TileKernel<T, 2, wide_panels(2, false) * kTileVectors, false>::run,
       TileKernel<T, 2, wide_panels(2, true) * kTileVectors, false>::run},
      {TileKernel<T, 3, wide_panels(3, false) * kTileVectors, false>::run,
       TileKernel<T, 3, wide_panels(3, true) * kTileVectors, false>::run},
  };
  return kFunctions[rows - 1][is_far ? 1 : 0];
}

template <class T>
bool is_far(const GemmArgsOf<T>& args) noexcept {
  return args.n * args.k * sizeof(T) > kFarBytes;
}

// Rows [m_begin, m_end) of `panels` neighbouring panels for k in [k_begin, k_end).
template <class T>
void run_panels(const GemmArgsOf<T>& args, Tile<T>& tile, size_t m_begin, size_t m_end, size_t panel, size_t panels,
                size_t k_begin, size_t k_end, const T* next) noexcept {
  constexpr size_t kColumns = kPanelColumns<T>;
  const size_t column = panel * kColumns;
  const T* b = args.packed_b + column * args.k;
  tile.b = b + k_begin * kColumns;
  tile.k = k_end - k_begin;
  tile.columns = smaller(panels * kColumns, args.n - column);
  tile.first = k_begin == 0;
  tile.last = k_end == args.k;
  tile.column_bias = args.epilogue.bias ? args.epilogue.bias + column : nullptr;

  // The blocks of rows share the fetching of what comes next between them.
  const size_t row_blocks = ceil_div(m_end - m_begin, kTileRows);
  const size_t step = kColumns * sizeof(T) / row_blocks;
  tile.prefetch_step = static_cast<ptrdiff_t>(step);
  tile.prefetch = reinterpret_cast<const char*>(next + k_begin * kColumns);
  size_t rows = 0;
  for (size_t row = m_begin; row < m_end; row += rows) {
    // What is left for the last two blocks is shared evenly, for few rows leave few independent chains.
    const size_t left = m_end - row;
    rows = left <= kTileRows ? left : left < 2 * kTileRows ? ceil_div(left, 2) : kTileRows;
    tile.a =
        args.a + static_cast<ptrdiff_t>(row) * args.a_row_stride + static_cast<ptrdiff_t>(k_begin) * args.a_col_stride;
    tile.c = args.c + static_cast<ptrdiff_t>(row) * args.c_row_stride + column;
    tile.residual = advance(args.epilogue.residual, static_cast<ptrdiff_t>(row) * tile.residual_row_stride + column);
    const auto run =
        panels > 1 ? wide_tile<T>(rows, is_far(args)) : narrow_tile<T>(rows, ceil_div(tile.columns, kLanes<T>));
    run(tile);
    tile.prefetch += step * tile.k;
  }
}

template <class T>
void run(const GemmArgsOf<T>& args, size_t m_begin, size_t m_end, size_t panel_begin, size_t panel_end) noexcept {
  constexpr size_t kColumns = kPanelColumns<T>;
  if (m_begin >= m_end || panel_begin >= panel_end) return;
  Tile<T> tile{};
  tile.a_row_stride = args.a_row_stride;
  tile.a_k_stride = args.a_col_stride;
  tile.b_panel_stride = static_cast<ptrdiff_t>(args.k * kColumns);
  tile.c_row_stride = args.c_row_stride;
  tile.residual_row_stride = args.epilogue.residual_row_stride;
  tile.epilogue = register_epilogue<T>(args.epilogue.steps, args.epilogue.step_count);

  const size_t rows = m_end - m_begin;
  const size_t wide = rows <= kWideRows ? static_cast<size_t>(wide_panels(static_cast<int>(rows), is_far(args))) : 1;
  const size_t stretches = rows <= kTileRows ? 1 : ceil_div(args.k * kColumns * sizeof(T), kMaxStretchBytes);
  const size_t stretch = stretches > 1 ? ceil_div(args.k, stretches) : args.k;
  size_t k_begin = 0;
  do {
    const size_t k_end = smaller(args.k, k_begin + stretch);
    for (size_t panel = panel_begin; panel < panel_end;) {
      const bool whole = panel + wide <= panel_end && (panel + wide) * kColumns <= args.n;
      const size_t panels = whole ? wide : 1;
      const size_t after = panel + panels;
      const T* next = after == panel_end && args.next_b ? args.next_b : args.packed_b + after * kColumns * args.k;
      run_panels(args, tile, m_begin, m_end, panel, panels, k_begin, k_end, next);
      panel += panels;
    }
    k_begin = k_end;
  } while (k_begin < args.k);

  if constexpr (sizeof(T) == sizeof(float)) {
    const int done = tile.epilogue.steps;
    if (done == args.epilogue.step_count) return;
    const size_t column = panel_begin * kColumns;
    const size_t columns = smaller(panel_end * kColumns, args.n) - column;
    for (size_t row = m_begin; row < m_end; ++row) {
      apply_epilogue_row(
          args.c + static_cast<ptrdiff_t>(row) * args.c_row_stride + column,
          advance(args.epilogue.residual, static_cast<ptrdiff_t>(row) * tile.residual_row_stride + column), columns,
          args.epilogue.steps + done, args.epilogue.step_count - done);
    }
  }
}

}  // namespace

extern const GemmKernels kGemmKernels;
extern const GemmKernelsF64 kGemmKernelsF64;
const GemmKernels kGemmKernels = {kTileRows, kPanelColumns<float>, pack_b<float>, run<float>};
const GemmKernelsF64 kGemmKernelsF64 = {kTileRows, kPanelColumns<double>, pack_b<double>, run<double>};

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
