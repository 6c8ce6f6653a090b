#include "kernels/transpose/transpose.h"

#include <cstring>
#include <vector>

#include "kernels/kernel_test.h"

namespace onnxrun::testing {
namespace {

using TransposeTest = IsaTest;
ONNXRUN_FOR_EACH_ISA(TransposeTest);

constexpr float kGuard = 77;

// Every extent around whole squares, steps longer than rows, any address; what lies between stays.
TEST_P(TransposeTest, TurnsRowsIntoColumns) {
  Random random;
  for (int round = 0; round < 300; ++round) {
    const size_t rows = random.integer(0, 40), columns = random.integer(0, 40);
    const size_t src_step = columns + random.integer(0, 3), dst_step = rows + random.integer(0, 3);
    const auto src = random.floats(rows * src_step + 1);
    std::vector<char> bytes(src.size() * sizeof(float) + 1);
    std::memcpy(bytes.data() + 1, src.data(), src.size() * sizeof(float));
    std::vector<float> dst(columns * dst_step + 1, kGuard);
    transpose_f32()(reinterpret_cast<const float*>(bytes.data() + 1), static_cast<ptrdiff_t>(src_step), rows, columns,
                    dst.data(), static_cast<ptrdiff_t>(dst_step));
    for (size_t i = 0; i < dst.size(); ++i) {
      const bool inside = dst_step > 0 && i % dst_step < rows && i / dst_step < columns;
      const float expected = inside ? src[i % dst_step * src_step + i / dst_step] : kGuard;
      ASSERT_EQ(dst[i], expected) << rows << " x " << columns << " at " << i << ", seed " << random.seed();
    }
  }
}

// Two columns side by side are taken apart by vectors.
TEST_P(TransposeTest, SeparatesPairs) {
  Random random;
  for (size_t rows = 0; rows < 70; ++rows) {
    const auto src = random.floats(2 * rows);
    std::vector<float> dst(2 * rows + 3, kGuard);
    transpose_f32()(src.data(), 2, rows, 2, dst.data(), static_cast<ptrdiff_t>(rows + 2));
    for (size_t r = 0; r < rows; ++r) {
      ASSERT_EQ(dst[r], src[2 * r]) << r << " of " << rows;
      ASSERT_EQ(dst[rows + 2 + r], src[2 * r + 1]) << r << " of " << rows;
    }
    EXPECT_EQ(dst[rows], kGuard);
    EXPECT_EQ(dst.back(), kGuard);
  }
}

}  // namespace
}  // namespace onnxrun::testing
