#pragma once

#include <cstddef>
#include <cstdint>

namespace onnxrun {

// C[m, n] = A[m, k] B[k, n] of 8-bit integers less their zero points, exact in int32 (sums beyond it wrap around).
// Neighbours along k lie side by side in groups of 4 bytes of a row, so that one instruction multiplies them and adds
// the products without overflow: two numbers of A as int16, its zero point taken off, or four bytes as they are. Zero
// points that are still there are taken off the sums: A's times the sums of B's columns, B's times those of A's rows.

// One 8-bit matrix or a part of it: element (i, j) at data[i * row_stride + j * col_stride].
struct Int8Matrix {
  const void* data = nullptr;
  bool is_signed = false;
  ptrdiff_t row_stride = 0;
  ptrdiff_t col_stride = 1;
};

// Kernels of one instruction set. Thread-safe.
struct IntGemmKernels {
  size_t mr = 0;     // rows of a register tile
  size_t nr = 0;     // columns of a register tile and of a panel
  size_t group = 0;  // neighbours along k in one row that are multiplied at once
  // Rows of A to dst[rows][row_bytes(k)]; zero[i * zero_step], of A's type, is taken off row i (null: none).
  void (*pack_rows)(const Int8Matrix& a, const void* zero, ptrdiff_t zero_step, size_t rows, size_t k,
                    std::byte* dst) noexcept = nullptr;
  // `columns` <= nr columns of B[k, ...] to one panel dst[panel_bytes(k)]; zero[j * zero_step], of B's type, is taken
  // off column j.
  void (*pack_panel)(const Int8Matrix& b, const void* zero, ptrdiff_t zero_step, size_t k, size_t columns,
                     std::byte* dst) noexcept = nullptr;
  // C[m, n] from packed rows and the panels of its columns.
  void (*run)(const std::byte* rows, const std::byte* panels, size_t m, size_t n, size_t k, int32_t* c,
              ptrdiff_t c_row_stride) noexcept = nullptr;

  // The way from images to panels. dst[group * i + r] = planes[r][i * step] for i < n, as signed bytes: 128 less where
  // they are unsigned.
  void (*interleave)(const void* const* planes, bool is_signed, ptrdiff_t step, size_t n,
                     int8_t* dst) noexcept = nullptr;
  // A panel of nr columns from such bytes: group p of column j is at src + (offsets[p] + j) * group, for p < groups.
  // `zero`, a signed byte too, is taken off all columns.
  void (*gather_panel)(const int8_t* src, const int64_t* offsets, size_t groups, int32_t zero,
                       std::byte* dst) noexcept = nullptr;

  // Groups of one: dst[i] = plane[i * step] for i < n, as signed bytes.
  void (*to_signed)(const void* plane, bool is_signed, ptrdiff_t step, size_t n, int8_t* dst) noexcept = nullptr;
  // A window over such a plane: sums[j] = sum over t < taps of weights[t] * src[offsets[t] + j], less
  // `less`, for j < n.
  void (*weigh_taps)(const int8_t* src, const int64_t* offsets, const int32_t* weights, size_t taps, int32_t less,
                     size_t n, int32_t* sums) noexcept = nullptr;

  size_t panel_count(size_t n) const noexcept { return (n + nr - 1) / nr; }
  // A zero point and a sum for each row and column, and the groups.
  size_t row_bytes(size_t k) const noexcept { return 8 + (k + group - 1) / group * 4; }
  size_t panel_bytes(size_t k) const noexcept { return nr * (8 + (k + group - 1) / group * group); }
};

const IntGemmKernels& int_gemm_kernels();

}  // namespace onnxrun
