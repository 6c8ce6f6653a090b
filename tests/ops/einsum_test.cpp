#include <gtest/gtest.h>

#include <array>

#include "support/op_tester.h"
#include "support/sample.h"

namespace onnxrun {
namespace {

OpCase einsum(const std::string& equation, std::vector<Value> inputs, const Tensor& output, double tolerance = 0) {
  return {.op = "Einsum",
          .inputs = std::move(inputs),
          .outputs = {output},
          .attributes = {{"equation", equation}},
          .relative = tolerance,
          .absolute = tolerance};
}

TEST(Einsum, RearrangesOneTensor) {
  const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  expect_op(einsum("ij->ji", {x}, floats({3, 2}, {1, 4, 2, 5, 3, 6})));
  expect_op(einsum("ba", {x}, floats({3, 2}, {1, 4, 2, 5, 3, 6})));
  expect_op(einsum("ij->", {x}, floats({}, {21})));
  expect_op(einsum("ij->i", {x}, floats({2}, {6, 15})));
  expect_op(einsum(" i j -> j ", {x}, floats({3}, {5, 7, 9})));
  expect_op(einsum("...->...", {x}, x));
  expect_op(einsum("...j->...", {x}, floats({2}, {6, 15})));
  expect_op(einsum("...j->j", {x}, floats({3}, {5, 7, 9})));
  expect_op(einsum("bA", {x}, floats({3, 2}, {1, 4, 2, 5, 3, 6})));
}

TEST(Einsum, TakesDiagonals) {
  const Tensor x = floats({2, 2}, {1, 2, 3, 4});
  expect_op(einsum("ii", {x}, floats({}, {5})));
  expect_op(einsum("ii->i", {x}, floats({2}, {1, 4})));
  expect_op(einsum("...ii->...i", {floats({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8})}, floats({2, 2}, {1, 4, 5, 8})));
  expect_op(einsum("ij,jj->i", {x, x}, floats({2}, {9, 19})));
}

TEST(Einsum, MultipliesEveryType) {
  for (const DType dtype : {DType::int8, DType::uint16, DType::int32, DType::int64, DType::uint64, DType::float16,
                            DType::float32, DType::float64}) {
    const Tensor a = numbers(dtype, {2, 3}, {1, 2, 3, 4, 5, 6});
    const Tensor b = numbers(dtype, {3, 2}, {1, 0, 2, 1, 0, 3});
    expect_op(einsum("ij,jk", {a, b}, numbers(dtype, {2, 2}, {5, 11, 14, 23})));
    expect_op(einsum("ij,jk->ki", {a, b}, numbers(dtype, {2, 2}, {5, 14, 11, 23})));
    expect_op(einsum("ij,ij->i", {a, a}, numbers(dtype, {2}, {14, 77})));
    expect_op(einsum("ij,kl->", {a, b}, numbers(dtype, {}, {dtype == DType::int8 ? -109.0 : 147.0})));
  }
}

// out[b, m, n] = the sum over k of a[b, m, k] c[b, k, n] for any strides.
std::vector<double> product(const std::vector<double>& a, std::array<size_t, 3> a_strides, const std::vector<double>& b,
                            std::array<size_t, 3> b_strides, std::array<size_t, 4> extents,
                            std::array<size_t, 3> out_strides) {
  std::vector<double> out(extents[0] * extents[1] * extents[2]);
  for (size_t i = 0; i < extents[0]; ++i) {
    for (size_t m = 0; m < extents[1]; ++m) {
      for (size_t n = 0; n < extents[2]; ++n) {
        double sum = 0;
        for (size_t k = 0; k < extents[3]; ++k) {
          sum += a[i * a_strides[0] + m * a_strides[1] + k * a_strides[2]] *
                 b[i * b_strides[0] + k * b_strides[1] + n * b_strides[2]];
        }
        out[i * out_strides[0] + m * out_strides[1] + n * out_strides[2]] = sum;
      }
    }
  }
  return out;
}

TEST(Einsum, MultipliesBatchesOfMatricesInAnyOrder) {
  // Batch 3, rows 17, columns 19, inner 21.
  const auto a = sample(size_t{3} * 17 * 21, 1);
  const auto b = sample(size_t{3} * 19 * 21, 2);
  for (const auto& [dtype, tolerance] :
       {std::pair<DType, double>{DType::float32, 1e-4}, {DType::float64, 1e-11}, {DType::float16, 1e-2}}) {
    const Tensor left = numbers(dtype, {3, 17, 21}, a);
    const Tensor right = numbers(dtype, {3, 19, 21}, b);
    const auto straight = product(a, {357, 21, 1}, b, {399, 1, 21}, {3, 17, 19, 21}, {323, 19, 1});
    expect_op(einsum("bmk,bnk->bmn", {left, right}, numbers(dtype, {3, 17, 19}, straight), tolerance));
    const auto swapped = product(a, {357, 21, 1}, b, {399, 1, 21}, {3, 17, 19, 21}, {323, 1, 17});
    expect_op(einsum("bmk,bnk->bnm", {left, right}, numbers(dtype, {3, 19, 17}, swapped), tolerance));
    const auto moved = product(a, {357, 21, 1}, b, {399, 1, 21}, {3, 17, 19, 21}, {19, 57, 1});
    expect_op(einsum("bmk,bnk->mbn", {left, right}, numbers(dtype, {17, 3, 19}, moved), tolerance));
    // Heads inside: [rows, batch, inner].
    const auto inside = product(a, {21, 63, 1}, b, {21, 1, 63}, {3, 17, 19, 21}, {323, 19, 1});
    expect_op(einsum("mbk,nbk->bmn", {numbers(dtype, {17, 3, 21}, a), numbers(dtype, {19, 3, 21}, b)},
                     numbers(dtype, {3, 17, 19}, inside), tolerance));
  }
}

TEST(Einsum, SumsSeveralAxesAndThoseOfOneTensor) {
  const auto a = sample(size_t{4} * 3 * 10, 3);
  const auto b = sample(size_t{3} * 4 * 12, 4);
  // out[x, n] = sum over i, j of a[i, j, x] b[j, i, n]
  std::vector<double> out(120);
  for (size_t i = 0; i < 4; ++i) {
    for (size_t j = 0; j < 3; ++j) {
      for (size_t x = 0; x < 10; ++x) {
        for (size_t n = 0; n < 12; ++n) out[x * 12 + n] += a[(i * 3 + j) * 10 + x] * b[(j * 4 + i) * 12 + n];
      }
    }
  }
  expect_op(einsum("ijx,jin->xn", {numbers(DType::float32, {4, 3, 10}, a), numbers(DType::float32, {3, 4, 12}, b)},
                   numbers(DType::float32, {10, 12}, out), 1e-4));
  // c is summed by itself: out[m, n] = (1 + 2) * 3 and so on.
  expect_op(einsum("mc,n->mn", {floats({2, 2}, {1, 2, 3, 4}), floats({2}, {3, 5})}, floats({2, 2}, {9, 15, 21, 35})));
}

TEST(Einsum, BroadcastsEllipses) {
  const Tensor a = floats({2, 1, 2}, {1, 2, 3, 4});
  const Tensor b = floats({1, 3, 2}, {1, 1, 1, 0, 0, 1});
  expect_op(einsum("...k,...k->...", {a, b}, floats({2, 3}, {3, 1, 2, 7, 3, 4})));
  expect_op(einsum("...k,ijk->...j", {a, b}, floats({2, 1, 3}, {3, 1, 2, 7, 3, 4})));
  expect_op(einsum("ij,j->ij", {floats({2, 1}, {2, 3}), floats({2}, {10, 100})}, floats({2, 2}, {20, 200, 30, 300})));
}

TEST(Einsum, ChainsMoreThanTwo) {
  const Tensor a = floats({2, 2}, {1, 2, 3, 4});
  const Tensor b = floats({2, 2}, {0, 1, 1, 0});
  const Tensor c = floats({2}, {1, 10});
  expect_op(einsum("ij,jk,k->i", {a, b, c}, floats({2}, {12, 34})));
  expect_op(einsum("ij,ij,ij->ij", {a, a, a}, floats({2, 2}, {1, 8, 27, 64})));
  expect_op(einsum("i,j,k->kji", {c, c, c}, floats({2, 2, 2}, {1, 10, 10, 100, 10, 100, 100, 1000})));
}

TEST(Einsum, TakesScalarsAndEmptyTensors) {
  expect_op(einsum(",->", {floats({}, {3}), floats({}, {4})}, floats({}, {12})));
  expect_op(einsum("->", {floats({}, {3})}, floats({}, {3})));
  expect_op(einsum("ij,jk->ik", {floats({2, 0}, {}), floats({0, 2}, {})}, floats({2, 2}, {0, 0, 0, 0})));
  expect_op(einsum("ij->j", {floats({0, 2}, {})}, floats({2}, {0, 0})));
  expect_op(einsum("ij,jk->ik", {floats({0, 2}, {}), floats({2, 9}, std::vector<float>(18))}, floats({0, 9}, {})));
}

TEST(Einsum, RefusesWhatDoesNotFit) {
  const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  const auto expect = [&](const std::string& equation, std::vector<Value> inputs, const std::string& text) {
    expect_op_error(einsum(equation, std::move(inputs), x), ErrorCode::invalid_model, text);
  };
  expect("ij,jk->ik", {x, x}, "extent 2 where another has 3");
  expect("ijk->i", {x}, "does not fit input 0");
  expect("i->i", {x}, "does not fit input 0");
  expect("ij->ik", {x}, "that no input has");
  expect("ij->ii", {x}, "repeats an index");
  expect("ij,jk->ik", {x}, "2 terms");
  expect("...j,...j->...", {x, floats({3}, {1, 2, 3})}, "different numbers of axes");
  expect("i.j->i", {x}, "malformed");
  expect("i-j->i", {x}, "malformed");
  expect("i1->i", {x}, "malformed");
}

}  // namespace
}  // namespace onnxrun
