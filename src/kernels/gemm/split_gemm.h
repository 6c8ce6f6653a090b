#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/gemm/gemm.h"

namespace onnxrun {

// Float32 products on a unit that multiplies tiles of bfloat16 and sums in float32 (AMX). Every operand is the exact
// sum of three bfloat16, x = x1 + x2 + x3; of the nine products of parts the six that matter are summed: a3 b1, a2 b1,
// a2 b2, a1 b2, a1 b3, a1 b1. What is left out is below 2^-24 of |a b|. Henry, Tang and Heinecke, "Leveraging the
// bfloat16 Artificial Intelligence Datatype For Higher-Precision Computations", 2019.
//
// Every element of C is summed in an order that depends on K alone: results do not depend on the tiling. Where a block
// of kSplitRows rows of A and a panel of B hold numbers whose parts could overflow or be too small for bfloat16, or
// that are not finite, their product is that of the dense kernels. Subnormal numbers, parts and sums are zero.
inline constexpr size_t kSplitRows = 32;   // rows of a block of A: two tiles
inline constexpr size_t kSplitDepth = 32;  // k that a tile covers: 16 pairs (k, k + 16)
// Depths that are summed in tiles before the sums are added to C: what they read of A and B stays in the second level
// cache, and the shorter the more exact.
inline constexpr size_t kSplitStretch = 16;

// The parts of some rows of A.
struct SplitA {
  uint16_t* parts = nullptr;    // bfloat16 [row blocks][depths][3 parts][2 tiles][16 rows][16 pairs], 64-byte aligned
  uint32_t* largest = nullptr;  // [row blocks][depths]: the largest magnitude, as a float's bits
};

// A and C as channel-blocked maps (channel_block.h) of a convolution with one tap and no padding: rows are the output's
// positions, [images][positions], columns the channels. Channels behind K are not read, those behind N are written.
struct SplitMaps {
  size_t block = 0;            // channels side by side, a divisor of nr; 0: A and C are plain matrices
  size_t positions = 0;        // of an output map
  size_t extents[2] = {1, 1};  // rows and columns of an output map
  ptrdiff_t a_steps[4] = {};   // floats of A from what an output reads to what the next image, depth, row, column reads
  ptrdiff_t a_block_step = 0;  // to the next block of channels
  ptrdiff_t c_image_step = 0;  // of C and of the residual
};
// The largest K of maps.
inline constexpr size_t kMaxSplitMapsDepth = kSplitStretch * kSplitRows * kSplitDepth * 3 / 2;

struct SplitGemmArgs {
  // packed_b as `dense` packs it; C and the residual may be the same, but not as maps. These have strides of their own.
  GemmArgs gemm;
  const GemmKernels* dense = nullptr;  // nr is a multiple of the lanes that the split kernels are compiled for
  EpilogueRowF32 epilogue_row = nullptr;
  size_t row_begin = 0, row_end = 0;  // the rows of A that `a` is for; row_begin is a multiple of kSplitRows
  SplitA a;
  SplitMaps maps = {};

  size_t depths() const { return (gemm.k + kSplitDepth - 1) / kSplitDepth; }
};

struct SplitGemmKernels {
  // Writes items [begin, end) of args.a's [row blocks][depths].
  void (*split)(const SplitGemmArgs& args, size_t begin, size_t end) noexcept = nullptr;
  // Computes rows [m_begin, m_end) of the columns of panels [panel_begin, panel_end), once all their parts are written;
  // m_begin is a multiple of kSplitRows. `scratch` is split_gemm_scratch(…) bytes, 64-byte aligned.
  void (*run)(const SplitGemmArgs& args, size_t m_begin, size_t m_end, size_t panel_begin, size_t panel_end,
              std::byte* scratch) noexcept = nullptr;
};

// The kernels where the selected instruction set has such a unit; null elsewhere. The first call that finds a unit
// multiplies something known with it; where the result is wrong the unit is withdrawn from the process. Thread-safe.
const SplitGemmKernels* split_gemm_kernels();

// Whether kernels multiply correctly: a product with every edge, against double precision.
bool split_gemm_works(const SplitGemmKernels& kernels);

// Makes split_gemm_kernels() return these; null: what the processor has. Not thread-safe.
void set_split_gemm_for_testing(const SplitGemmKernels* kernels);

// Whether splitting and multiplying by tiles is expected to take less than `share` of the dense kernels' time. Depends
// on extents alone.
bool split_gemm_pays(size_t m, size_t n, size_t k, double share = 0.9);

// How a product is divided. The parts of A are made for chunk_rows rows at a time, which bounds their memory.
struct SplitGemmPlan {
  size_t chunk_rows = 0;     // a multiple of kSplitRows
  size_t parts_bytes = 0;    // of a chunk's parts; `largest` follows them
  size_t shared_bytes = 0;   // of both
  size_t scratch_bytes = 0;  // for any tile

  SplitA parts(std::byte* shared) const {
    return {reinterpret_cast<uint16_t*>(shared), reinterpret_cast<uint32_t*>(shared + parts_bytes)};
  }
};
SplitGemmPlan plan_split_gemm(size_t m, size_t n, size_t k, int nr);

// The tiles of a chunk of `rows` rows, and the scratch memory of one of at most so many rows and panels.
GemmTiling split_gemm_tiling(size_t rows, size_t n, size_t k, int nr);
size_t split_gemm_scratch(size_t rows, size_t panels, int nr);

// Computes one tile of the chunk that args.a is for. Neighbours share the rows of A, whose parts are larger than B.
inline void run_split_gemm_tile(const SplitGemmKernels& kernels, const SplitGemmArgs& args, const GemmTiling& tiling,
                                size_t tile, std::byte* scratch) {
  const size_t row = args.row_begin + tile / tiling.panel_tiles * tiling.m_tile;
  const size_t panel = tile % tiling.panel_tiles * tiling.panel_tile;
  const size_t panels = args.dense->panel_count(args.gemm.n);
  kernels.run(args, row, row + tiling.m_tile < args.row_end ? row + tiling.m_tile : args.row_end, panel,
              panel + tiling.panel_tile < panels ? panel + tiling.panel_tile : panels, scratch);
}

}  // namespace onnxrun
