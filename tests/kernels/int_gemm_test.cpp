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

// Images whose channels are interleaved, and windows over them whose taps lie anywhere.
TEST_P(IntGemmTest, MultipliesWindows) {
  Random random;
  SCOPED_TRACE(random.seed());
  const IntGemmKernels& kernels = int_gemm_kernels();
  for (const bool is_signed : {false, true}) {
    for (const ptrdiff_t step : {1, 2}) {
      constexpr size_t m = 7, n = 45, groups = 5;
      const size_t k = groups * kernels.group;
      const size_t width = n + kernels.nr;
      const auto plane = n * static_cast<size_t>(step);
      const Operand a(m * k, m, random.chance(0.5), random);
      const Operand b(k * plane, 1, is_signed, random);
      Buffer<int8_t> image(groups * width * kernels.group);
      std::fill_n(image.get(), groups * width * kernels.group, int8_t{0});
      std::vector<int64_t> offsets;
      for (size_t p = 0; p < groups; ++p) {
        const size_t at = (groups - 1 - p) * width;
        offsets.push_back(static_cast<int64_t>(at));
        std::vector<const void*> planes;
        for (size_t r = 0; r < kernels.group; ++r) planes.push_back(b.data.data() + (p * kernels.group + r) * plane);
        kernels.interleave(planes.data(), is_signed, step, n, image.get() + at * kernels.group);
      }
      Buffer<std::byte> rows(m * kernels.row_bytes(k)), panel(kernels.panel_bytes(k));
      kernels.pack_rows({a.data.data(), a.is_signed, static_cast<ptrdiff_t>(k), 1}, a.zeros.data(), 1, m, k,
                        rows.get());
      const int32_t zero = Operand::number(b.zeros[0], is_signed) - (is_signed ? 0 : 128);
      std::vector<int32_t> c(m * n);
      for (size_t j = 0; j < n; j += kernels.nr) {
        kernels.gather_panel(image.get() + j * kernels.group, offsets.data(), groups, zero, panel.get());
        kernels.run(rows.get(), panel.get(), m, std::min(kernels.nr, n - j), k, c.data() + j, n);
      }
      for (size_t i = 0; i < m; ++i) {
        for (size_t j = 0; j < n; ++j) {
          int32_t sum = 0;
          for (size_t p = 0; p < k; ++p) sum += a.at(i * k + p, i) * b.at(p * plane + j * static_cast<size_t>(step), 0);
          ASSERT_EQ(c[i * n + j], sum) << i << ", " << j;
        }
      }
    }
  }
}

TEST_P(IntGemmTest, WeighsTapsOfOneChannel) {
  Random random;
  SCOPED_TRACE(random.seed());
  for (const size_t n : {0, 1, 7, 16, 33, 100, 150}) {
    for (const size_t taps : {1, 2, 9}) {
      Buffer<int8_t> src(n + 50);
      for (size_t i = 0; i < n + 50; ++i) src.get()[i] = static_cast<int8_t>(random.integer(0, 255));
      std::vector<int64_t> offsets;
      std::vector<int32_t> weights;
      for (size_t t = 0; t < taps; ++t) {
        offsets.push_back(static_cast<int64_t>(random.integer(0, 50)));
        weights.push_back(static_cast<int32_t>(random.integer(0, 510)) - 255);
      }
      Buffer<int32_t> sums(n);
      int_gemm_kernels().weigh_taps(src.get(), offsets.data(), weights.data(), taps, 77, n, sums.get());
      for (size_t j = 0; j < n; ++j) {
        int32_t sum = -77;
        for (size_t t = 0; t < taps; ++t) sum += weights[t] * src.get()[static_cast<size_t>(offsets[t]) + j];
        ASSERT_EQ(sums.get()[j], sum) << j << " of " << n;
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
