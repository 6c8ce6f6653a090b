#include "kernels/element/element.h"

#include <limits>
#include <vector>

#include "kernels/kernel_test.h"

namespace onnxrun::testing {
namespace {

class ElementTest : public IsaTest {};
ONNXRUN_FOR_EACH_ISA(ElementTest);

template <class T>
void expect_selection(size_t width_index) {
  for (size_t n = 0; n < 150; n += n < 70 ? 1 : 13) {
    std::vector<T> x(n + 1), y(n + 1);
    const Buffer<bool> condition(n);
    for (size_t i = 0; i < n; ++i) {
      x[i] = static_cast<T>(i * 7 + 1);
      y[i] = static_cast<T>(~T{0} - i);
      condition.get()[i] = i * i % 5 < 2;
    }
    for (const ptrdiff_t x_step : {0, 1}) {
      for (const ptrdiff_t y_step : {0, 1}) {
        const Buffer<T> dst(n);
        element_kernels().select[width_index](condition.get(), x.data(), x_step, y.data(), y_step, dst.get(), n);
        for (size_t i = 0; i < n; ++i) {
          const T want = i * i % 5 < 2 ? x[x_step ? i : 0] : y[y_step ? i : 0];
          ASSERT_EQ(dst.get()[i], want) << sizeof(T) << " bytes, steps " << x_step << ' ' << y_step << ", " << i;
        }
      }
    }
  }
}

TEST_P(ElementTest, SelectsElementsOfEveryWidth) {
  expect_selection<uint8_t>(0);
  expect_selection<uint16_t>(1);
  expect_selection<uint32_t>(2);
  expect_selection<uint64_t>(3);
}

template <class T, class Kernel>
void expect_offsets(Kernel kernel) {
  constexpr IndexedElements kElements = {.extent = 9, .stride = -4, .start = 1000, .step = 3};
  for (size_t n = 0; n < 70; ++n) {
    std::vector<T> indices;
    for (size_t i = 0; i < n; ++i) indices.push_back(static_cast<T>(i * 5 % 18) - 9);
    const Buffer<int64_t> offsets(n);
    EXPECT_TRUE(kernel(indices.data(), n, kElements, offsets.get()));
    for (size_t i = 0; i < n; ++i) {
      const auto place = static_cast<int64_t>(indices[i] < 0 ? indices[i] + 9 : indices[i]);
      ASSERT_EQ(offsets.get()[i], 1000 + static_cast<int64_t>(i) * 3 - place * 4) << n << " at " << i;
    }
    using Limits = std::numeric_limits<T>;
    for (const T outside : {T{9}, T{-10}, Limits::max(), Limits::min(), static_cast<T>(Limits::min() + 9)}) {
      for (size_t i = 0; i < n; ++i) {
        auto bad = indices;
        bad[i] = outside;
        ASSERT_FALSE(kernel(bad.data(), n, kElements, offsets.get())) << outside << " at " << i << " of " << n;
      }
    }
  }
}

TEST_P(ElementTest, FindsIndexedElements) {
  expect_offsets<int32_t>(element_kernels().offsets_of_int32);
  expect_offsets<int64_t>(element_kernels().offsets_of_int64);
}

TEST_P(ElementTest, NothingIsInsideAnEmptyExtent) {
  const std::vector<int64_t> indices = {0, -1, 1};
  int64_t offset = 0;
  for (const int64_t& index : indices) {
    EXPECT_FALSE(element_kernels().offsets_of_int64(&index, 1, {.extent = 0, .stride = 1}, &offset)) << index;
  }
}

}  // namespace
}  // namespace onnxrun::testing
