// The product of split_gemm.h over a unit of eight tiles of 16 rows of 64 bytes. Only ISA files and tests, which
// emulate the unit, include it.
#pragma once

#include "kernels/gemm/split_gemm.h"
#include "kernels/simd.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {

// Tiles has, all static:
//   configure(), release()     around everything else
//   zero<tile>(), load<tile>(src, row_bytes), store<tile>(dst, row_bytes)
//   multiply_add<sum, a, b>()  floats sum[i][j] += the sum over p < 16 of a[i][2p] b[p][2j] + a[i][2p + 1] b[p][2j + 1]
template <class Tiles>
struct SplitGemm {
  static constexpr size_t kEdge = 16;                   // rows of a tile, floats of its row
  static constexpr size_t kTile = kEdge * kSplitDepth;  // bfloat16
  static constexpr size_t kPart = 2 * kTile;            // of two tiles side by side
  static constexpr size_t kDepthParts = 3 * kPart;      // of one depth of a block of rows or columns
  static constexpr size_t kBlockColumns = 2 * kEdge;
  static constexpr size_t kTileRowBytes = 64;
  static_assert(kEdge % kLanes<float> == 0);

  using Bits = Vec<uint32_t>;

  // Splits pairs (even[i], odd[i]) of one vector into the parts at dst, dst + kPart, dst + 2 kPart. Rounding to
  // bfloat16 by halves up leaves a remainder that is exact; that of the second is a bfloat16. largest grows to |even|
  // and |odd|.
  static ONNXRUN_INLINE void split_vector(const float* even, const float* odd, uint16_t* dst, Bits& largest) noexcept {
    const Bits magnitude(0x7fffffffu), half(0x8000u), upper(0xffff0000u);
    Vec<float> x = load(even), y = load(odd);
    Bits x_bits = xsimd::bitwise_cast<Bits>(x), y_bits = xsimd::bitwise_cast<Bits>(y);
    largest = xsimd::max(largest, xsimd::max(x_bits & magnitude, y_bits & magnitude));
    ONNXRUN_UNROLL
    for (size_t part = 0; part < 3; ++part) {
      if (part < 2) {
        x_bits = (x_bits + half) & upper;
        y_bits = (y_bits + half) & upper;
      }
      ((x_bits >> 16) | y_bits).store_unaligned(reinterpret_cast<uint32_t*>(dst + part * kPart));
      x -= xsimd::bitwise_cast<Vec<float>>(x_bits);
      y -= xsimd::bitwise_cast<Vec<float>>(y_bits);
      x_bits = xsimd::bitwise_cast<Bits>(x);
      y_bits = xsimd::bitwise_cast<Bits>(y);
    }
  }

  static ONNXRUN_INLINE uint32_t reduce_max(const Bits& bits) noexcept {
    uint32_t lanes[kLanes<float>];
    bits.store_unaligned(lanes);
    uint32_t result = 0;
    for (const uint32_t lane : lanes) result = lane > result ? lane : result;
    return result;
  }

  static void split(const SplitGemmArgs& args, size_t begin, size_t end) noexcept {
    const size_t depths = args.depths();
    for (size_t item = begin; item < end; ++item) {
      const size_t row = args.row_begin + item / depths * kSplitRows;
      args.a.largest[item] = split_rows(args, row, item % depths * kSplitDepth, args.a.parts + item * kDepthParts);
    }
  }

  // Walks along the rows of A.
  class RowWalk {
   public:
    RowWalk(const SplitGemmArgs& args, size_t row) noexcept : args_(args), row_(row) { find(); }

    ONNXRUN_INLINE const float* src() const noexcept { return src_; }
    ONNXRUN_INLINE void next() noexcept {
      ++row_;
      src_ += step_;
      if (--left_ == 0) find();
    }

   private:
    // The row, and how many are a step apart from it on.
    void find() noexcept {
      const SplitMaps& maps = args_.maps;
      src_ = args_.gemm.a;
      if (maps.block == 0) {
        step_ = args_.gemm.a_row_stride;
        src_ += static_cast<ptrdiff_t>(row_) * step_;
        left_ = ~size_t{0};
        return;
      }
      const size_t at = row_ % maps.positions;
      const size_t line = at / maps.extents[1], column = at % maps.extents[1];
      const size_t place[] = {row_ / maps.positions, line / maps.extents[0], line % maps.extents[0], column};
      for (int i = 0; i < 4; ++i) src_ += static_cast<ptrdiff_t>(place[i]) * maps.a_steps[i];
      step_ = maps.a_steps[3];
      left_ = maps.extents[1] - column;
    }

    const SplitGemmArgs& args_;
    size_t row_;
    size_t left_ = 0;
    ptrdiff_t step_ = 0;
    const float* src_ = nullptr;
  };

  // From a row of A to its element k. As many as a vector has stand side by side from there on, where A's are so and k
  // is a multiple of that.
  static ptrdiff_t column_of_a(const SplitGemmArgs& args, size_t k) noexcept {
    const SplitMaps& maps = args.maps;
    if (maps.block == 0) return static_cast<ptrdiff_t>(k) * args.gemm.a_col_stride;
    return static_cast<ptrdiff_t>(k / maps.block) * maps.a_block_step + static_cast<ptrdiff_t>(k % maps.block);
  }
  static bool has_vectors(const SplitGemmArgs& args) noexcept {
    return args.maps.block > 0 || args.gemm.a_col_stride == 1;
  }

  // dst[rows][stride] = A's columns [k_begin, k_begin + depth).
  static void copy_rows(const SplitGemmArgs& args, size_t row, size_t rows, size_t k_begin, size_t depth, float* dst,
                        size_t stride) noexcept {
    const size_t width = has_vectors(args) ? kLanes<float> : 1;
    RowWalk walk(args, row);
    for (size_t r = 0; r < rows; ++r, walk.next(), dst += stride) {
      for (size_t p = 0; p < depth; p += width) {
        const float* src = walk.src() + column_of_a(args, k_begin + p);
        __builtin_memcpy(dst + p, src, smaller(width, depth - p) * sizeof(float));
      }
    }
  }

  // One depth of a block of rows; what is beyond A's ends is zero.
  static uint32_t split_rows(const SplitGemmArgs& args, size_t row, size_t k_begin, uint16_t* dst) noexcept {
    const size_t rows = smaller(kSplitRows, args.row_end - row);
    const size_t depth = smaller(kSplitDepth, args.gemm.k - k_begin);
    if (rows == kSplitRows && depth == kSplitDepth && has_vectors(args)) return split_whole(args, row, k_begin, dst);
    float copy[kSplitRows * kSplitDepth] = {};
    copy_rows(args, row, rows, k_begin, depth, copy, kSplitDepth);
    SplitGemmArgs copied;
    copied.gemm.a = copy;
    copied.gemm.a_row_stride = kSplitDepth;
    return split_whole(copied, 0, 0, dst);
  }
  static uint32_t split_whole(const SplitGemmArgs& args, size_t row, size_t k_begin, uint16_t* dst) noexcept {
    ptrdiff_t columns[kSplitDepth / kLanes<float>];
    for (size_t i = 0; i < kSplitDepth / kLanes<float>; ++i)
      columns[i] = column_of_a(args, k_begin + i * kLanes<float>);
    Bits largest(0u);
    RowWalk walk(args, row);
    for (size_t r = 0; r < kSplitRows; ++r, walk.next(), dst += kSplitDepth) {
      ONNXRUN_UNROLL
      for (size_t i = 0; i < kEdge / kLanes<float>; ++i) {
        const float* even = walk.src() + columns[i];
        const float* odd = walk.src() + columns[kEdge / kLanes<float> + i];
        split_vector(even, odd, dst + 2 * i * kLanes<float>, largest);
      }
    }
    return reduce_max(largest);
  }

  // A tile of C on its way: rows [m_begin, m_end) of panels [panel_begin, panel_end).
  struct Work {
    const SplitGemmArgs& args;
    size_t m_begin, m_end, panel_begin, panel_end;
    size_t nr;
    uint16_t* b = nullptr;        // [kSplitStretch] depths of a block of columns
    uint32_t* largest = nullptr;  // magnitude in B's panels, as a float's bits
    float* c = nullptr;           // [rows up to a whole block][columns up to a whole tile]
    size_t c_stride = 0;

    size_t panels() const { return panel_end - panel_begin; }
    size_t columns() const { return panels() * nr; }
    size_t blocks() const { return (m_end - m_begin + kSplitRows - 1) / kSplitRows; }
    // Element (k, column) of packed B; columns count from panel_begin on, and may go beyond panel_end.
    const float* b_at(size_t p, size_t column) const {
      return args.gemm.packed_b + ((panel_begin + column / nr) * args.gemm.k + p) * nr + column % nr;
    }
  };

  // Depths [begin, end) of kBlockColumns columns of B.
  static void split_columns(const Work& work, size_t column, size_t begin, size_t end) noexcept {
    static constexpr float kZeros[kLanes<float>] = {};
    for (size_t v = 0; v < kBlockColumns; v += kLanes<float>) {
      const bool exists = column + v < work.columns();
      if (!exists && v % kEdge == 0) return;
      const float* src = exists ? work.b_at(0, column + v) : kZeros;
      const size_t k = exists ? work.args.gemm.k : 0;
      const auto row = [&](size_t p) ONNXRUN_INLINE_LAMBDA { return p < k ? src + p * work.nr : kZeros; };
      Bits most(0u);
      for (size_t depth = begin; depth < end; ++depth) {
        uint16_t* dst = work.b + (depth - begin) * kDepthParts + v / kEdge * kTile + v % kEdge * 2;
        for (size_t p = depth * kSplitDepth; p < depth * kSplitDepth + kEdge; ++p, dst += kSplitDepth) {
          split_vector(row(p), row(p + kEdge), dst, most);
        }
      }
      if (!exists) continue;
      uint32_t& largest = work.largest[(column + v) / work.nr];
      const uint32_t bits = reduce_max(most);
      if (bits > largest) largest = bits;
    }
  }

  // What will be split next: it is fetched while tiles multiply, some rows with each depth.
  struct Next {
    const char* columns[2];  // of a row of packed B
    ptrdiff_t row_bytes;
    size_t rows;  // with each depth

    ONNXRUN_INLINE void fetch() noexcept {
      for (size_t i = 0; i < rows; ++i) {
        prefetch_l2(columns[0]);
        prefetch_l2(columns[1]);
        columns[0] += row_bytes;
        columns[1] += row_bytes;
      }
    }
  };

  // dst[16 kRows, 16 kColumns] = A B over `depths` of them. Tiles 0 to 3 are sums, 4 and 5 A, 6 and 7 B.
  template <int kRows, int kColumns>
  static void multiply(const uint16_t* a, const uint16_t* b, size_t depths, float* dst, size_t dst_stride,
                       Next& next) noexcept {
    Tiles::template zero<0>();
    Tiles::template zero<1>();
    Tiles::template zero<2>();
    Tiles::template zero<3>();
    const auto load_a = [&](size_t part) ONNXRUN_INLINE_LAMBDA {
      Tiles::template load<4>(a + part * kPart, kTileRowBytes);
      if constexpr (kRows > 1) Tiles::template load<5>(a + part * kPart + kTile, kTileRowBytes);
    };
    const auto load_b = [&](size_t part) ONNXRUN_INLINE_LAMBDA {
      Tiles::template load<6>(b + part * kPart, kTileRowBytes);
      if constexpr (kColumns > 1) Tiles::template load<7>(b + part * kPart + kTile, kTileRowBytes);
    };
    // The products of what is loaded, and a sixth of A two depths on.
    const auto multiply_add = [&](size_t sixth) ONNXRUN_INLINE_LAMBDA {
      const uint16_t* ahead = a + 2 * kDepthParts + sixth * kTile;
      ONNXRUN_UNROLL
      for (size_t i = 0; i < kTile; i += kSplitDepth) prefetch(ahead + i);
      Tiles::template multiply_add<0, 4, 6>();
      if constexpr (kColumns > 1) Tiles::template multiply_add<1, 4, 7>();
      if constexpr (kRows > 1) Tiles::template multiply_add<2, 5, 6>();
      if constexpr (kRows > 1 && kColumns > 1) Tiles::template multiply_add<3, 5, 7>();
    };
    for (size_t i = 0; i < depths; ++i, a += kDepthParts, b += kDepthParts) {
      next.fetch();
      load_a(2), load_b(0), multiply_add(0);
      load_a(1), multiply_add(1);
      load_b(1), multiply_add(2);
      load_a(0), multiply_add(3);
      load_b(2), multiply_add(4);
      load_b(0), multiply_add(5);
    }
    const size_t row_bytes = dst_stride * sizeof(float);
    float* below = dst + kEdge * dst_stride;
    Tiles::template store<0>(dst, row_bytes);
    if constexpr (kColumns > 1) Tiles::template store<1>(dst + kEdge, row_bytes);
    if constexpr (kRows > 1) Tiles::template store<2>(below, row_bytes);
    if constexpr (kRows > 1 && kColumns > 1) Tiles::template store<3>(below + kEdge, row_bytes);
  }

  static Next next_of(const Work& work, size_t column, size_t depth) noexcept {
    const auto address = [&](size_t at) { return reinterpret_cast<const char*>(work.b_at(depth * kSplitDepth, at)); };
    return {{address(column), address(column + kEdge)},
            static_cast<ptrdiff_t>(work.nr * sizeof(float)),
            (kSplitDepth + work.blocks() - 1) / work.blocks()};
  }

  // All rows of one block of columns, `depths` depths from `begin` on.
  static void multiply_columns(const Work& work, size_t column, size_t begin, size_t depths, Next next) noexcept {
    const bool wide = work.columns() - column > kEdge;
    for (size_t row = work.m_begin; row < work.m_end; row += kSplitRows) {
      const bool tall = work.m_end - row > kEdge;
      const size_t block = (row - work.args.row_begin) / kSplitRows;
      const uint16_t* a = work.args.a.parts + (block * work.args.depths() + begin) * kDepthParts;
      float* c = work.c + (row - work.m_begin) * work.c_stride + column;
      const auto kernel = tall ? (wide ? multiply<2, 2> : multiply<2, 1>) : (wide ? multiply<1, 2> : multiply<1, 1>);
      if (begin == 0) {
        kernel(a, work.b, depths, c, work.c_stride, next);
        continue;
      }
      alignas(64) float sums[kSplitRows * kBlockColumns];
      kernel(a, work.b, depths, sums, kBlockColumns, next);
      for (size_t r = 0; r < (tall ? 2 : 1) * kEdge; ++r, c += work.c_stride) {
        for (size_t j = 0; j < (wide ? 2 : 1) * kEdge; j += kLanes<float>) {
          store(c + j, load(c + j) + load(sums + r * kBlockColumns + j));
        }
      }
    }
  }

  // Whether products of numbers up to such magnitudes are those of float32: none overflows, and what tiny parts lose is
  // far below the largest product.
  static bool fit(uint32_t a_bits, uint32_t b_bits, size_t k) noexcept {
    const float a = __builtin_bit_cast(float, a_bits), b = __builtin_bit_cast(float, b_bits);
    if (!(a < 0x1p127f && b < 0x1p127f)) return false;
    if (a == 0 || b == 0) return true;
    const double product = static_cast<double>(a) * static_cast<double>(b);
    return a >= 0x1p-64f && b >= 0x1p-64f && product >= 0x1p-80 && product * static_cast<double>(k) <= 0x1p120;
  }

  // Bias, steps and the way to C of rows of some panels.
  static void finish(const Work& work, size_t m_begin, size_t m_end, size_t panel_begin, size_t panel_end) noexcept {
    if (work.args.maps.block > 0) return finish_maps(work, m_begin, m_end, panel_begin, panel_end);
    constexpr size_t kWidth = kLanes<float>;
    const GemmArgs& gemm = work.args.gemm;
    const Epilogue& epilogue = gemm.epilogue;
    const size_t column = panel_begin * work.nr;
    const size_t columns = smaller(panel_end * work.nr, gemm.n) - column;
    for (size_t row = m_begin; row < m_end; ++row) {
      const ptrdiff_t i = static_cast<ptrdiff_t>(row);
      float* sums = work.c + (row - work.m_begin) * work.c_stride + (panel_begin - work.panel_begin) * work.nr;
      for (size_t j = 0; epilogue.bias && j < columns; j += kWidth) {
        const float* bias = epilogue.bias + column + j;
        store(sums + j, load(sums + j) + (columns - j < kWidth ? load_partial(bias, columns - j) : load(bias)));
      }
      if (epilogue.step_count > 0) {
        const float* residual = epilogue.residual;
        if (residual) residual += i * epilogue.residual_row_stride + static_cast<ptrdiff_t>(column);
        work.args.epilogue_row(sums, residual, columns, epilogue.steps, epilogue.step_count);
      }
      __builtin_memcpy(gemm.c + i * gemm.c_row_stride + column, sums, columns * sizeof(float));
    }
  }

  // The same to maps: a block of channels after the other, whose positions are neighbours.
  static void finish_maps(const Work& work, size_t m_begin, size_t m_end, size_t panel_begin,
                          size_t panel_end) noexcept {
    const GemmArgs& gemm = work.args.gemm;
    const SplitMaps& maps = work.args.maps;
    const Epilogue& epilogue = gemm.epilogue;
    const size_t end = smaller(panel_end * work.nr, gemm.n);
    for (size_t column = panel_begin * work.nr; column < end; column += maps.block) {
      float bias[kEdge] = {};
      for (size_t j = 0; epilogue.bias && j < smaller(maps.block, end - column); ++j) {
        bias[j] = epilogue.bias[column + j];
      }
      const float* sums = work.c + (m_begin - work.m_begin) * work.c_stride + column - work.panel_begin * work.nr;
      for (size_t row = m_begin; row < m_end;) {
        const size_t position = row % maps.positions;
        const size_t rows = smaller(m_end - row, maps.positions - position);
        const auto at = static_cast<ptrdiff_t>(row / maps.positions) * maps.c_image_step +
                        static_cast<ptrdiff_t>(column * maps.positions + position * maps.block);
        float* dst = gemm.c + at;
        for (size_t r = 0; r < rows; ++r, sums += work.c_stride, dst += maps.block) {
          for (size_t v = 0; v < maps.block; v += kLanes<float>) store(dst + v, load(sums + v) + load(bias + v));
        }
        if (epilogue.step_count > 0) {
          work.args.epilogue_row(gemm.c + at, epilogue.residual ? epilogue.residual + at : nullptr, rows * maps.block,
                                 epilogue.steps, epilogue.step_count);
        }
        row += rows;
      }
    }
  }

  // Rows of some panels by the dense kernels.
  static void run_dense(const Work& work, size_t m_begin, size_t m_end, size_t panel_begin, size_t panel_end) noexcept {
    if (work.args.maps.block == 0) return work.args.dense->run(work.args.gemm, m_begin, m_end, panel_begin, panel_end);
    // Matrices of some rows, A where B's parts were and C where the sums are.
    GemmArgs gemm = work.args.gemm;
    auto* a = reinterpret_cast<float*>(work.b);
    const size_t most = kMaxSplitMapsDepth / gemm.k;
    gemm.a = a;
    gemm.a_row_stride = static_cast<ptrdiff_t>(gemm.k);
    gemm.a_col_stride = 1;
    gemm.packed_b += work.panel_begin * work.args.dense->panel_size(gemm.k);
    gemm.n -= work.panel_begin * work.nr;
    gemm.c_row_stride = static_cast<ptrdiff_t>(work.c_stride);
    gemm.epilogue = {};
    for (size_t row = m_begin; row < m_end; row += gemm.m) {
      gemm.m = smaller(most, m_end - row);
      gemm.c = work.c + (row - work.m_begin) * work.c_stride;
      copy_rows(work.args, row, gemm.m, 0, gemm.k, a, gemm.k);
      work.args.dense->run(gemm, 0, gemm.m, panel_begin - work.panel_begin, panel_end - work.panel_begin);
    }
    finish(work, m_begin, m_end, panel_begin, panel_end);
  }

  // Finishes a block of rows, or computes it by the dense kernels, by runs of panels that are alike.
  static void finish_block(const Work& work, size_t m_begin, size_t m_end) noexcept {
    const size_t depths = work.args.depths();
    const uint32_t* a = work.args.a.largest + (m_begin - work.args.row_begin) / kSplitRows * depths;
    uint32_t largest = 0;
    for (size_t i = 0; i < depths; ++i) largest = a[i] > largest ? a[i] : largest;
    const auto fits = [&](size_t panel) {
      return fit(largest, work.largest[panel - work.panel_begin], work.args.gemm.k);
    };
    for (size_t panel = work.panel_begin; panel < work.panel_end;) {
      size_t end = panel + 1;
      while (end < work.panel_end && fits(end) == fits(panel)) ++end;
      if (fits(panel)) {
        finish(work, m_begin, m_end, panel, end);
      } else {
        run_dense(work, m_begin, m_end, panel, end);
      }
      panel = end;
    }
  }

  static void run(const SplitGemmArgs& args, size_t m_begin, size_t m_end, size_t panel_begin, size_t panel_end,
                  std::byte* scratch) noexcept {
    if (m_begin >= m_end || panel_begin >= panel_end) return;
    Work work{args, m_begin, m_end, panel_begin, panel_end, static_cast<size_t>(args.dense->nr)};
    const auto up = [](size_t count) { return (count + kEdge - 1) / kEdge * kEdge; };
    work.b = reinterpret_cast<uint16_t*>(scratch);
    work.largest = reinterpret_cast<uint32_t*>(work.b + kSplitStretch * kDepthParts);
    work.c = reinterpret_cast<float*>(work.largest + up(work.panels()));
    work.c_stride = up(work.columns());
    for (size_t panel = 0; panel < work.panels(); ++panel) work.largest[panel] = 0;

    const size_t depths = args.depths();
    const size_t stretches = (depths + kSplitStretch - 1) / kSplitStretch;
    const size_t stretch = (depths + stretches - 1) / stretches;
    Tiles::configure();
    for (size_t begin = 0; begin < depths; begin += stretch) {
      const size_t end = smaller(depths, begin + stretch);
      for (size_t column = 0; column < work.columns(); column += kBlockColumns) {
        split_columns(work, column, begin, end);
        const bool is_last = column + kBlockColumns >= work.columns();
        const bool again = is_last && end < depths;  // from the first column on, further down
        const Next next = next_of(work, again ? 0 : column + kBlockColumns, again ? end : is_last ? 0 : begin);
        multiply_columns(work, column, begin, end - begin, next);
      }
    }
    Tiles::release();
    for (size_t row = m_begin; row < m_end; row += kSplitRows) {
      finish_block(work, row, smaller(m_end, row + kSplitRows));
    }
  }

  static constexpr size_t smaller(size_t a, size_t b) { return a < b ? a : b; }
};

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
