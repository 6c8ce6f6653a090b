#include "kernels/attention/attention.h"

#include <cmath>
#include <vector>

#include "kernels/kernel_test.h"

namespace onnxrun::testing {
namespace {

using AttentionTest = IsaTest;
ONNXRUN_FOR_EACH_ISA(AttentionTest);

TEST_P(AttentionTest, AgreesWithPlainLoops) {
  Random random;
  SCOPED_TRACE(random.seed());
  for (const size_t size : {1, 3, 16, 40, 64, 100, 130}) {
    for (const size_t rows : {1, 4, 7}) {
      const size_t count = random.integer(0, 40);
      const size_t stride = size + random.integer(0, 5);
      const auto q = random.floats(rows * size);
      const auto keys = random.floats(count * stride + size);
      std::vector<float> scores(rows * (count + 1), 77);
      attention_kernels().score(q.data(), rows, size, keys.data(), static_cast<ptrdiff_t>(stride), count, scores.data(),
                                static_cast<ptrdiff_t>(count + 1));
      std::vector<float> sums(rows * size, 0.5F);
      attention_kernels().weigh(scores.data(), static_cast<ptrdiff_t>(count + 1), rows, keys.data(),
                                static_cast<ptrdiff_t>(stride), count, size, sums.data());
      for (size_t r = 0; r < rows; ++r) {
        for (size_t j = 0; j < count; ++j) {
          double dot = 0;
          for (size_t e = 0; e < size; ++e) {
            dot += static_cast<double>(q[r * size + e]) * static_cast<double>(keys[j * stride + e]);
          }
          EXPECT_NEAR(scores[r * (count + 1) + j], dot, 1e-5);
        }
        EXPECT_EQ(scores[r * (count + 1) + count], 77);
        for (size_t e = 0; e < size; ++e) {
          double sum = 0.5;
          for (size_t j = 0; j < count; ++j) {
            sum += static_cast<double>(scores[r * (count + 1) + j]) * static_cast<double>(keys[j * stride + e]);
          }
          EXPECT_NEAR(sums[r * size + e], sum, 1e-4);
        }
      }
    }
  }
}

}  // namespace
}  // namespace onnxrun::testing
