#include "kernels/int_gemm/int_gemm.h"

#include "kernels/kernel_test.h"

namespace onnxrun::testing {
namespace {

struct Operand {
  std::vector<uint8_t> data, zeros;
  bool is_signed;

  Operand(size_t elements, size_t zero_count, bool sign, Random& random) : is_signed(sign) {
    for (size_t i = 0; i < elements; ++i)
      data.push_back(static_cast<uint8_t>(random.one_of({0, 1, 127, 128, 200, 255})));
    for (size_t i = 0; i < zero_count; ++i) zeros.push_back(static_cast<uint8_t>(random.integer(0, 255)));
  }
  static int32_t number(uint8_t bits, bool sign) { return sign ? static_cast<int8_t>(bits) : bits; }
  int32_t at(size_t i, size_t zero) const { return number(data[i], is_signed) - number(zeros[zero], is_signed); }
};

class IntGemmTest : public IsaTest {};

TEST_P(IntGemmTest, MultipliesExactly) {
  Random random;
  SCOPED_TRACE(random.seed());
  const IntGemmKernels& kernels = int_gemm_kernels();
  for (int round = 0; round < 60; ++round) {
    const size_t m = random.integer(1, 30);
    const size_t n = random.integer(1, 200);
    const size_t k = random.integer(0, 70);
    const Operand a(m * k, m, random.chance(0.5), random);
    const Operand b(k * n, n, random.chance(0.5), random);
    Buffer<std::byte> rows(m * kernels.row_bytes(k));
    Buffer<std::byte> panels(kernels.panel_count(n) * kernels.panel_bytes(k));
    kernels.pack_rows({a.data.data(), a.is_signed, static_cast<ptrdiff_t>(k), 1}, a.zeros.data(), 1, m, k, rows.get());
    for (size_t j = 0; j < n; j += kernels.nr) {
      kernels.pack_panel({b.data.data() + j, b.is_signed, static_cast<ptrdiff_t>(n), 1}, b.zeros.data() + j, 1, k,
                         std::min(kernels.nr, n - j), panels.get() + j / kernels.nr * kernels.panel_bytes(k));
    }
    std::vector<int32_t> c(m * (n + 1), 77);
    kernels.run(rows.get(), panels.get(), m, n, k, c.data(), static_cast<ptrdiff_t>(n + 1));
    for (size_t i = 0; i < m; ++i) {
      for (size_t j = 0; j < n; ++j) {
        int32_t sum = 0;
        for (size_t p = 0; p < k; ++p) sum += a.at(i * k + p, i) * b.at(p * n + j, j);
        ASSERT_EQ(c[i * (n + 1) + j], sum) << i << ", " << j << " of " << m << " x " << n << " x " << k;
      }
      EXPECT_EQ(c[i * (n + 1) + n], 77);
    }
  }
}

// Pairs of rows that lie apart, in an order of their own.
TEST_P(IntGemmTest, MultipliesSpreadRows) {
  Random random;
  SCOPED_TRACE(random.seed());
  const IntGemmKernels& kernels = int_gemm_kernels();
  for (const bool is_signed : {false, true}) {
    for (const ptrdiff_t step : {1, 2}) {
      constexpr size_t m = 7, n = 45, pairs = 5;
      const size_t width = n + kernels.nr;
      const Operand a(m * 2 * pairs, m, is_signed, random);
      const Operand b(pairs * 2 * n * static_cast<size_t>(step), 1, is_signed, random);
      Buffer<int16_t> rows(m * 2 * pairs), image(pairs * width * 2);
      for (size_t i = 0; i < m * 2 * pairs; ++i) rows.get()[i] = static_cast<int16_t>(a.at(i, i / (2 * pairs)));
      std::fill_n(image.get(), pairs * width * 2, int16_t{0});
      const auto row_of = [&](size_t row) { return row * n * static_cast<size_t>(step); };
      std::vector<int64_t> offsets;
      for (size_t p = 0; p < pairs; ++p) {
        const size_t at = (pairs - 1 - p) * width;
        offsets.push_back(static_cast<int64_t>(at));
        // The last pair has but one row.
        const uint8_t* odd = p + 1 < pairs ? b.data.data() + row_of(2 * p + 1) : nullptr;
        kernels.widen_pairs(b.data.data() + row_of(2 * p), odd, is_signed, step,
                            static_cast<int16_t>(Operand::number(b.zeros[0], is_signed)), n, image.get() + 2 * at);
      }
      std::vector<int32_t> c(m * n);
      kernels.run_spread(rows.get(), image.get(), offsets.data(), m, n, pairs, c.data(), n);
      for (size_t i = 0; i < m; ++i) {
        for (size_t j = 0; j < n; ++j) {
          int32_t sum = 0;
          for (size_t p = 0; p + 1 < 2 * pairs; ++p) {
            sum += a.at(i * 2 * pairs + p, i) * b.at(row_of(p) + j * static_cast<size_t>(step), 0);
          }
          ASSERT_EQ(c[i * n + j], sum) << i << ", " << j;
        }
      }
    }
  }
}

// 65,536 products of -255 and 255 exceed 32 bits, and wrap around.
TEST_P(IntGemmTest, WrapsAround) {
  const IntGemmKernels& kernels = int_gemm_kernels();
  constexpr size_t k = 65536;
  const std::vector<uint8_t> a(k, 0), b(k, 255);
  const uint8_t zero_a = 255, zero_b = 0;
  Buffer<std::byte> rows(kernels.row_bytes(k));
  Buffer<std::byte> panel(kernels.panel_bytes(k));
  kernels.pack_rows({a.data(), false, k, 1}, &zero_a, 0, 1, k, rows.get());
  kernels.pack_panel({b.data(), false, 1, 1}, &zero_b, 0, k, 1, panel.get());
  int32_t sum = 0;
  kernels.run(rows.get(), panel.get(), 1, 1, k, &sum, 1);
  EXPECT_EQ(sum, static_cast<int32_t>(static_cast<uint32_t>(-65025LL * 65536)));
}

ONNXRUN_FOR_EACH_ISA(IntGemmTest);

}  // namespace
}  // namespace onnxrun::testing
