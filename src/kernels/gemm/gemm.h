#pragma once

#include <cstddef>

#include "kernels/epilogue.h"
#include "kernels/tiling.h"

namespace onnxrun {

// C[M, N] = epilogue(A[M, K] B[K, N]) with B packed in panels of nr columns. Every element of C is one chain of fused
// multiply-adds in ascending k (SSE2: of products and sums), whatever the tiling: results do not depend on it.
// After Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication", 2008.
template <class T>
struct GemmArgsOf {
  size_t m = 0, n = 0, k = 0;
  const T* a = nullptr;  // element (i, p) at a[i * a_row_stride + p * a_col_stride]
  ptrdiff_t a_row_stride = 0;
  ptrdiff_t a_col_stride = 1;
  const T* packed_b = nullptr;  // as written by pack_b
  T* c = nullptr;               // element (i, j) at c[i * c_row_stride + j]; must not overlap a or packed_b
  ptrdiff_t c_row_stride = 0;
  EpilogueOf<T> epilogue;     // double: only add_residual first, then at most one of relu, leaky_relu and clip
  const T* next_b = nullptr;  // the panels that are needed behind a tile, to bring them in; null: those behind its own
};
using GemmArgs = GemmArgsOf<float>;
using GemmArgsF64 = GemmArgsOf<double>;

// Kernels of one instruction set; any number of threads may call them on disjoint tiles.
template <class T>
struct GemmKernelsOf {
  int mr = 0;  // rows of a register tile
  int nr = 0;  // columns of a register tile and of a panel
  // Writes panels [panel_begin, panel_end) of B[K, N], element (p, j) at b[p * row_stride + j * col_stride], b at any
  // address, to dst (the beginning of the whole packed matrix): [ceil(N / nr)][K][nr], the last panel filled up with
  // zeros.
  void (*pack_b)(const T* b, ptrdiff_t row_stride, ptrdiff_t col_stride, size_t k, size_t n, size_t panel_begin,
                 size_t panel_end, T* dst) noexcept = nullptr;
  // Computes rows [m_begin, m_end) of the columns of panels [panel_begin, panel_end).
  void (*run)(const GemmArgsOf<T>& args, size_t m_begin, size_t m_end, size_t panel_begin,
              size_t panel_end) noexcept = nullptr;

  size_t panel_count(size_t n) const { return (n + static_cast<size_t>(nr) - 1) / static_cast<size_t>(nr); }
  size_t panel_size(size_t k) const { return static_cast<size_t>(nr) * k; }                  // elements
  size_t packed_b_size(size_t k, size_t n) const { return panel_count(n) * panel_size(k); }  // elements
};
using GemmKernels = GemmKernelsOf<float>;
using GemmKernelsF64 = GemmKernelsOf<double>;

// The kernels of the selected instruction set. Thread-safe.
const GemmKernels& gemm_kernels();
const GemmKernelsF64& gemm_kernels_f64();
template <class T>
const GemmKernelsOf<T>& gemm_kernels_of() {
  if constexpr (sizeof(T) == sizeof(float)) return gemm_kernels();
  if constexpr (sizeof(T) == sizeof(double)) return gemm_kernels_f64();
}

// Floats (doubles) of a packed B[K, N] for the selected instruction set; no overflow check.
inline size_t packed_b_floats(size_t k, size_t n) { return gemm_kernels().packed_b_size(k, n); }

// A division of C into tiles of at most m_tile rows and panel_tile panels; tile t has row block t % m_tiles (so that
// neighbours share the panels) and panel block t / m_tiles.
struct GemmTiling {
  size_t m_tile = 0, panel_tile = 0;
  size_t m_tiles = 0, panel_tiles = 0;
  size_t tile_count() const { return m_tiles * panel_tiles; }
};

// Proposes tiles of a few microseconds or more, up to about 64 of them. Depends on the arguments alone. The rows of a
// tile share each panel, so the more the better while a stretch of A stays in the second level cache.
GemmTiling gemm_tiling(size_t m, size_t n, size_t k, int mr, int nr, bool one_thread = false, size_t max_rows = 144);

// Computes one tile; `backwards`: the one before it is computed next.
template <class T>
void run_gemm_tile(const GemmKernelsOf<T>& kernels, GemmArgsOf<T> args, const GemmTiling& tiling, size_t tile,
                   bool backwards = false) {
  const size_t row = tile % tiling.m_tiles * tiling.m_tile;
  const size_t panel = tile / tiling.m_tiles * tiling.panel_tile;
  const size_t panels = kernels.panel_count(args.n);
  if (backwards && panel > 0) args.next_b = args.packed_b + (panel - tiling.panel_tile) * kernels.panel_size(args.k);
  kernels.run(args, row, row + tiling.m_tile < args.m ? row + tiling.m_tile : args.m, panel,
              panel + tiling.panel_tile < panels ? panel + tiling.panel_tile : panels);
}

// The same by plain loops, B unpacked (element (p, j) at b[p * b_row_stride + j * b_col_stride]), sums in double: the
// oracle of the tests. packed_b is ignored.
void gemm_reference(const GemmArgs& args, const float* b, ptrdiff_t b_row_stride, ptrdiff_t b_col_stride);

}  // namespace onnxrun
