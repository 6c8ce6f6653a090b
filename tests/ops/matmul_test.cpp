#include <gtest/gtest.h>

#include "support/op_tester.h"
#include "support/sample.h"

namespace onnxrun {
namespace {

// A [batch, m, k] by B [k, n] or [batch, k, n], in double.
OpCase matmul(DType dtype, int64_t batch, int64_t m, int64_t k, int64_t n, bool b_has_batch, double tolerance) {
  const auto sample = [](int64_t count, int seed) {
    const Tensor tensor = random_floats({count}, seed);
    std::vector<double> values;
    for (const float x : tensor.values<float>()) values.push_back(static_cast<double>(x));
    return values;
  };
  const std::vector<double> a = sample(batch * m * k, 1), b = sample((b_has_batch ? batch : 1) * k * n, 2);
  std::vector<double> y;
  for (int64_t i = 0; i < batch * m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (int64_t p = 0; p < k; ++p) {
        sum += a[static_cast<size_t>(i * k + p)] * b[static_cast<size_t>(((b_has_batch ? i / m : 0) * k + p) * n + j)];
      }
      y.push_back(sum);
    }
  }
  const Shape b_shape = b_has_batch ? Shape{batch, k, n} : Shape{k, n};
  return {.op = "MatMul",
          .inputs = {numbers(dtype, {batch, m, k}, a), numbers(dtype, b_shape, b)},
          .outputs = {numbers(dtype, {batch, m, n}, y)},
          .absolute = tolerance};
}

TEST(MatMul, FewAndManyRowsByAMatrixOfAnyWidth) {
  for (const int64_t m : {1, 3, 7, 9}) {
    for (const int64_t n : {1, 13, 64, 200}) {
      SCOPED_TRACE(::testing::Message() << m << " rows, " << n << " columns");
      expect_op(matmul(DType::float32, 1, m, 75, n, false, 2e-5));
      expect_op(matmul(DType::float32, 3, m, 75, n, true, 2e-5));
    }
  }
  expect_op(matmul(DType::float64, 2, 3, 40, 30, true, 1e-6));
}

TEST(MatMul, OneRowByALargeMatrixOnSeveralThreads) { expect_op(matmul(DType::float32, 1, 1, 700, 1000, false, 1e-4)); }

TEST(MatMul, NothingToSumOrToWrite) {
  expect_op(matmul(DType::float32, 2, 3, 0, 5, true, 0));
  expect_op(matmul(DType::float32, 2, 0, 4, 5, true, 0));
  expect_op(matmul(DType::float32, 2, 3, 4, 0, true, 0));
  expect_op(matmul(DType::float32, 0, 3, 4, 5, true, 0));
}

}  // namespace
}  // namespace onnxrun
