#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <numbers>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

using Complex = std::complex<long double>;

std::vector<Complex> signal(size_t n, size_t seed, bool is_complex) {
  std::vector<Complex> x;
  for (size_t j = 0; j < n; ++j) {
    const auto at = [&](size_t k) { return static_cast<long double>((k * 7919 + seed * 31) % 1001) / 500 - 1; };
    x.emplace_back(at(2 * j), is_complex ? at(2 * j + 1) : 0);
  }
  return x;
}

// The definition, term by term.
std::vector<Complex> transform(std::vector<Complex> x, size_t length, bool inverse) {
  x.resize(length);
  std::vector<Complex> y(length);
  for (size_t k = 0; k < length; ++k) {
    for (size_t j = 0; j < length; ++j) {
      const long double angle = 2 * std::numbers::pi_v<long double> * static_cast<long double>(j * k % length) /
                                static_cast<long double>(length);
      y[k] += x[j] * Complex(std::cos(angle), inverse ? std::sin(angle) : -std::sin(angle));
    }
    if (inverse) y[k] /= static_cast<long double>(length);
  }
  return y;
}

std::vector<double> parts(const std::vector<Complex>& x, bool with_imaginary) {
  std::vector<double> values;
  for (const Complex& z : x) {
    values.push_back(static_cast<double>(z.real()));
    if (with_imaginary) values.push_back(static_cast<double>(z.imag()));
  }
  return values;
}

Value scalar64(int64_t value) { return integers({}, {value}); }

void expect_dft(const std::vector<Value>& inputs, const Tensor& expected, bool inverse, bool onesided,
                int64_t opset = 20, double absolute = 1e-11) {
  expect_op({.op = "DFT",
             .inputs = inputs,
             .outputs = {expected},
             .attributes = {{"inverse", int64_t{inverse}}, {"onesided", int64_t{onesided}}},
             .opset = opset,
             .absolute = absolute});
}

// Powers of two, mixed radices, primes small and large, and their products.
TEST(DFT, TransformsEveryLength) {
  for (const size_t n : {1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 30, 31, 37, 64, 74, 97, 105, 128, 243, 251, 256, 360, 502}) {
    const auto length = static_cast<int64_t>(n);
    for (const bool inverse : {false, true}) {
      const std::vector<Complex> x = signal(n, n, true);
      expect_dft({numbers(DType::float64, {length, 2}, parts(x, true)), Value(), scalar64(0)},
                 numbers(DType::float64, {length, 2}, parts(transform(x, n, inverse), true)), inverse, false);
    }
  }
}

TEST(DFT, GivesAndTakesOneSidedSpectra) {
  for (const size_t n : {1, 2, 5, 8, 9, 37, 100}) {
    const auto length = static_cast<int64_t>(n);
    const auto half = static_cast<int64_t>(n / 2 + 1);
    const std::vector<Complex> x = signal(n, 3, false);
    std::vector<Complex> y = transform(x, n, false);
    y.resize(n / 2 + 1);
    const Tensor real = numbers(DType::float64, {1, length, 1}, parts(x, false));
    const Tensor spectrum = numbers(DType::float64, {1, half, 2}, parts(y, true));
    expect_dft({real}, spectrum, false, true);
    expect_dft({spectrum, scalar64(length)}, real, true, true);
    if (n % 2 == 0) expect_dft({spectrum}, real, true, true);
  }
}

TEST(DFT, CutsAndPadsToTheLength) {
  const std::vector<Complex> x = signal(6, 5, false);
  const Tensor data = numbers(DType::float64, {6, 1}, parts(x, false));
  for (const size_t length : {4, 6, 11}) {
    const std::vector<Complex> cut(x.begin(), x.begin() + static_cast<ptrdiff_t>(std::min<size_t>(length, 6)));
    const auto extent = static_cast<int64_t>(length);
    expect_dft({data, scalar64(extent), scalar64(-2)},
               numbers(DType::float64, {extent, 2}, parts(transform(cut, length, false), true)), false, false);
  }
  // A spectrum of three numbers makes seven: the missing one is zero.
  std::vector<Complex> full = signal(3, 9, true);
  const Tensor spectrum = numbers(DType::float64, {3, 2}, parts(full, true));
  full[0] = full[0].real();
  full.resize(7);
  full[5] = std::conj(full[2]);
  full[6] = std::conj(full[1]);
  expect_dft({spectrum, numbers(DType::int32, {}, {7}), scalar64(0)},
             numbers(DType::float64, {7, 1}, parts(transform(full, 7, true), false)), true, true);
}

TEST(DFT, RunsAlongAnyAxis) {
  // [2, 3, 4, 2] along the axes 0, 1 and 2.
  const std::vector<Complex> all = signal(24, 2, true);
  const Tensor data = numbers(DType::float32, {2, 3, 4, 2}, parts(all, true));
  const size_t extents[] = {2, 3, 4};
  const size_t strides[] = {12, 4, 1};
  for (size_t axis = 0; axis < 3; ++axis) {
    std::vector<Complex> expected(24);
    for (size_t first = 0; first < 24; ++first) {
      if (first / strides[axis] % extents[axis] != 0) continue;
      std::vector<Complex> line;
      for (size_t j = 0; j < extents[axis]; ++j) line.push_back(all[first + j * strides[axis]]);
      line = transform(line, extents[axis], false);
      for (size_t j = 0; j < extents[axis]; ++j) expected[first + j * strides[axis]] = line[j];
    }
    const Tensor result = numbers(DType::float32, {2, 3, 4, 2}, parts(expected, true));
    const auto at = static_cast<int64_t>(axis);
    expect_dft({data, Value(), scalar64(at)}, result, false, false, 20, 1e-6);
    expect_op({.op = "DFT",
               .inputs = {data},
               .outputs = {result},
               .attributes = {{"axis", at - 4}},
               .opset = 17,
               .absolute = 1e-6});
  }
}

TEST(DFT, TakesEveryFloatAndNothing) {
  // 1, 2, 3, 4: the sum 10, -2 + 2i, -2, -2 - 2i.
  for (const DType dtype : {DType::float16, DType::bfloat16, DType::float32, DType::float64}) {
    const Tensor x = numbers(dtype, {1, 4, 1}, {1, 2, 3, 4});
    expect_dft({x}, numbers(dtype, {1, 4, 2}, {10, 0, -2, 2, -2, 0, -2, -2}), false, false);
    expect_dft({x}, numbers(dtype, {1, 3, 2}, {10, 0, -2, 2, -2, 0}), false, true, 17);
  }
  expect_dft({floats({0, 4, 1}, {})}, floats({0, 4, 2}, {}), false, false);
  expect_dft({floats({1, 0, 2}, {}), scalar64(2)}, floats({1, 2, 2}, {0, 0, 0, 0}), false, false);
}

TEST(DFT, RefusesWhatItCannotTransform) {
  const auto refuse = [](const std::vector<Value>& inputs, bool inverse, bool onesided, ErrorCode code,
                         const std::string& text) {
    expect_op_error({.op = "DFT",
                     .inputs = inputs,
                     .outputs = {floats({1}, {0})},
                     .attributes = {{"inverse", int64_t{inverse}}, {"onesided", int64_t{onesided}}},
                     .opset = 20},
                    code, text);
  };
  const Tensor real = floats({1, 2, 1}, {1, 2});
  const Tensor complex = floats({1, 2, 2}, {1, 2, 3, 4});
  refuse({complex}, false, true, ErrorCode::invalid_model, "real input");
  refuse({real}, true, true, ErrorCode::invalid_model, "complex input");
  refuse({floats({1, 2, 3}, {1, 2, 3, 4, 5, 6})}, false, false, ErrorCode::invalid_model, "imaginary");
  refuse({floats({2}, {1, 2})}, false, false, ErrorCode::invalid_model, "rank 1");
  refuse({real, Value(), scalar64(2)}, false, false, ErrorCode::run_failed, "axis 2");
  refuse({real, scalar64(0)}, false, false, ErrorCode::run_failed, "length 0");
  refuse({floats({1, 1, 2}, {1, 2})}, true, true, ErrorCode::invalid_model, "length 0");
}

}  // namespace
}  // namespace onnxrun
