#pragma once

#include <cstddef>
#include <cstdint>

namespace onnxrun {

// C[m, n] = A[m, k] B[k, n] of 8-bit integers less their zero points, exact in int32 (sums beyond it wrap around).
// Operands are packed as int16 with the zero points already taken off, neighbours along k side by side, so that one
// instruction multiplies pairs and adds them without overflow.

// One 8-bit matrix or a part of it: element (i, j) at data[i * row_stride + j * col_stride].
struct Int8Matrix {
  const void* data = nullptr;
  bool is_signed = false;
  ptrdiff_t row_stride = 0;
  ptrdiff_t col_stride = 1;
};

// Kernels of one instruction set. Thread-safe.
struct IntGemmKernels {
  size_t mr = 0;  // rows of a register tile
  size_t nr = 0;  // columns of a register tile and of a panel
  // Rows of A to dst[rows][padded_k(k)]; zero[i * zero_step], of A's type, is taken off row i (null: none).
  void (*pack_rows)(const Int8Matrix& a, const void* zero, ptrdiff_t zero_step, size_t rows, size_t k,
                    int16_t* dst) noexcept = nullptr;
  // `columns` <= nr columns of B[k, ...] to one panel dst[padded_k(k) / 2][nr][2], missing columns zero;
  // zero[j * zero_step], of B's type, is taken off column j.
  void (*pack_panel)(const Int8Matrix& b, const void* zero, ptrdiff_t zero_step, size_t k, size_t columns,
                     int16_t* dst) noexcept = nullptr;
  // dst[2 * i] = even[i], dst[2 * i + 1] = odd[i] for i < n.
  void (*interleave)(const int16_t* even, const int16_t* odd, size_t n, int16_t* dst) noexcept = nullptr;
  // C[m, n] from packed rows and the panels of its columns; `k` is the unpadded extent.
  void (*run)(const int16_t* rows, const int16_t* panels, size_t m, size_t n, size_t k, int32_t* c,
              ptrdiff_t c_row_stride) noexcept = nullptr;

  size_t panel_count(size_t n) const noexcept { return (n + nr - 1) / nr; }
  size_t panel_elements(size_t k) const noexcept { return padded_k(k) * nr; }
  static size_t padded_k(size_t k) noexcept { return (k + 1) / 2 * 2; }
};

const IntGemmKernels& int_gemm_kernels();

}  // namespace onnxrun
