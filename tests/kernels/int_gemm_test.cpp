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
    const size_t n = random.integer(1, 80);
    const size_t k = random.integer(0, 70);
    const Operand a(m * k, m, random.chance(0.5), random);
    const Operand b(k * n, n, random.chance(0.5), random);
    const size_t padded = IntGemmKernels::padded_k(k);
    Buffer<int16_t> rows(m * padded);
    Buffer<int16_t> panels(kernels.panel_count(n) * kernels.panel_elements(k));
    kernels.pack_rows({a.data.data(), a.is_signed, static_cast<ptrdiff_t>(k), 1}, a.zeros.data(), 1, m, k, rows.get());
    for (size_t j = 0; j < n; j += kernels.nr) {
      kernels.pack_panel({b.data.data() + j, b.is_signed, static_cast<ptrdiff_t>(n), 1}, b.zeros.data() + j, 1, k,
                         std::min(kernels.nr, n - j), panels.get() + j / kernels.nr * kernels.panel_elements(k));
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

// 65,536 products of -255 and 255 exceed 32 bits, and wrap around.
TEST_P(IntGemmTest, WrapsAround) {
  const IntGemmKernels& kernels = int_gemm_kernels();
  constexpr size_t k = 65536;
  const std::vector<uint8_t> a(k, 0), b(k, 255);
  const uint8_t zero_a = 255, zero_b = 0;
  Buffer<int16_t> rows(k);
  Buffer<int16_t> panel(kernels.panel_elements(k));
  kernels.pack_rows({a.data(), false, k, 1}, &zero_a, 0, 1, k, rows.get());
  kernels.pack_panel({b.data(), false, 1, 1}, &zero_b, 0, k, 1, panel.get());
  int32_t sum = 0;
  kernels.run(rows.get(), panel.get(), 1, 1, k, &sum, 1);
  EXPECT_EQ(sum, static_cast<int32_t>(static_cast<uint32_t>(-65025LL * 65536)));
}

ONNXRUN_FOR_EACH_ISA(IntGemmTest);

}  // namespace
}  // namespace onnxrun::testing
