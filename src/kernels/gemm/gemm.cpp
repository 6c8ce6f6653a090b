#include "kernels/gemm/gemm.h"

#include <algorithm>

#include "kernels/dispatch.h"

namespace onnxrun {

ONNXRUN_DECLARE_TABLE(GemmKernels, kGemmKernels)
ONNXRUN_DECLARE_TABLE(GemmKernelsF64, kGemmKernelsF64)

const GemmKernels& gemm_kernels() { return ONNXRUN_SELECT_TABLE(kGemmKernels); }
const GemmKernelsF64& gemm_kernels_f64() { return ONNXRUN_SELECT_TABLE(kGemmKernelsF64); }

namespace {

size_t ceil_div(size_t a, size_t b) { return (a + b - 1) / b; }

// The even division of `count` into parts of at most `most`, rounded up to a multiple of `unit`.
size_t even_part(size_t count, size_t most, size_t unit) {
  const size_t parts = std::max<size_t>(1, ceil_div(count, most));
  return std::max<size_t>(1, ceil_div(ceil_div(count, parts), unit)) * unit;
}

}  // namespace

GemmTiling gemm_tiling(size_t m, size_t n, size_t k, int mr, int nr, bool one_thread, size_t max_rows) {
  const size_t panels = ceil_div(n, static_cast<size_t>(nr));
  GemmTiling tiling;
  tiling.m_tile = even_part(m, max_rows, static_cast<size_t>(mr));
  tiling.m_tiles = ceil_div(m, tiling.m_tile);
  if (tiling.m_tiles == 0 || panels == 0) return tiling;

  // A few rows wait for B: as long as several rows compute.
  constexpr size_t kRowsWhileReading = 8;
  const double operations = static_cast<double>(std::max(m, kRowsWhileReading)) * static_cast<double>(n) *
                            static_cast<double>(std::max<size_t>(k, 1));
  const size_t wanted = wanted_tiles(operations, one_thread);
  const size_t panel_tiles = std::clamp<size_t>(ceil_div(wanted, tiling.m_tiles), 1, panels);
  // A few rows take two panels or more at a time.
  const size_t unit = m > 3 || panels < 4 ? 1 : 2;
  tiling.panel_tile = even_part(panels, ceil_div(panels, panel_tiles), unit);
  tiling.panel_tiles = ceil_div(panels, tiling.panel_tile);
  return tiling;
}

}  // namespace onnxrun
