#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <limits>
#include <numbers>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

using Complex = std::complex<double>;

struct Frames {
  size_t batch, length, step, frame, bins;
  bool is_complex;
};

std::vector<double> samples(size_t count) {
  std::vector<double> values;
  for (size_t i = 0; i < count; ++i) values.push_back(static_cast<double>(i * 7919 % 1001) / 500 - 1);
  return values;
}

// The definition, frame by frame; the window is 1, 1/2, 1/3, ... where there is one.
std::vector<double> spectra(const Frames& f, const std::vector<double>& x, bool has_window) {
  const size_t parts = f.is_complex ? 2 : 1;
  std::vector<double> result;
  for (size_t b = 0; b < f.batch; ++b) {
    for (size_t begin = 0; begin + f.frame <= f.length; begin += f.step) {
      for (size_t k = 0; k < f.bins; ++k) {
        Complex sum = 0;
        for (size_t j = 0; j < f.frame; ++j) {
          const size_t at = (b * f.length + begin + j) * parts;
          const double weight = has_window ? 1 / static_cast<double>(j + 1) : 1;
          const double angle =
              -2 * std::numbers::pi * static_cast<double>(j * k % f.frame) / static_cast<double>(f.frame);
          sum += weight * Complex(x[at], f.is_complex ? x[at + 1] : 0) * Complex(std::cos(angle), std::sin(angle));
        }
        result.push_back(sum.real());
        result.push_back(sum.imag());
      }
    }
  }
  return result;
}

void expect_frames(const Frames& f, bool has_window, bool gives_length) {
  const int64_t parts = f.is_complex ? 2 : 1;
  const auto batch = static_cast<int64_t>(f.batch);
  const auto length = static_cast<int64_t>(f.length);
  const std::vector<double> x = samples(f.batch * f.length * static_cast<size_t>(parts));
  std::vector<double> window;
  for (size_t j = 0; j < f.frame; ++j) window.push_back(1 / static_cast<double>(j + 1));
  const auto count = static_cast<int64_t>((f.length - f.frame) / f.step + 1);
  const auto frame = static_cast<int64_t>(f.frame);
  expect_op(
      {.op = "STFT",
       .inputs = {numbers(DType::float64, {batch, length, parts}, x), integers({}, {static_cast<int64_t>(f.step)}),
                  has_window ? Value(numbers(DType::float64, {frame}, window)) : Value(),
                  gives_length ? Value(numbers(DType::int64, {}, {static_cast<double>(frame)})) : Value()},
       .outputs = {numbers(DType::float64, {batch, count, static_cast<int64_t>(f.bins), 2}, spectra(f, x, has_window))},
       .attributes = {{"onesided", int64_t{f.bins != f.frame}}},
       .opset = 17,
       .absolute = 1e-12});
}

TEST(STFT, TransformsFrames) {
  for (const bool gives_length : {false, true}) {
    expect_frames({2, 50, 8, 16, 9, false}, true, gives_length);
    expect_frames({1, 50, 7, 15, 8, false}, true, gives_length);
    expect_frames({1, 50, 7, 15, 15, false}, true, gives_length);
    expect_frames({2, 23, 3, 11, 11, true}, true, gives_length);
  }
  expect_frames({1, 40, 4, 10, 6, false}, false, true);
  expect_frames({1, 12, 5, 12, 7, false}, false, false);
}

// What is in a frame changes no other: not by what is not finite, nor by the rounding of what is large.
TEST(STFT, FramesAreIndependent) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double loud : {1e18, nan}) {
    std::vector<double> bins = {loud, 0, 0, -loud, -loud, 0};
    if (std::isnan(loud)) bins.assign(6, nan);
    const std::vector<double> frames = {0, loud, 0, 0, 0, 0, 0, 0, 0, 0.25, 0, 0};
    for (const double zero : {0.0, 0.0, 0.0, 0.0, 0.0, 0.0}) bins.push_back(zero);
    for (const double quiet : {0.25, 0.0, 0.0, -0.25, -0.25, 0.0}) bins.push_back(quiet);
    expect_op({.op = "STFT",
               .inputs = {numbers(DType::float64, {1, 12, 1}, frames), integers({}, {4}), Value(), integers({}, {4})},
               .outputs = {numbers(DType::float64, {1, 3, 3, 2}, bins)},
               .opset = 17});
  }
}

TEST(STFT, TakesEveryFloatAndShortSignals) {
  for (const DType dtype : {DType::float16, DType::bfloat16, DType::float32}) {
    expect_op(
        {.op = "STFT",
         .inputs = {numbers(dtype, {1, 3, 1}, {1, 2, 3}), numbers(DType::int32, {}, {1}), numbers(dtype, {2}, {1, 2})},
         .outputs = {numbers(dtype, {1, 2, 2, 2}, {5, 0, -3, 0, 8, 0, -4, 0})},
         .opset = 17});
  }
  expect_op({.op = "STFT",
             .inputs = {floats({2, 3, 1}, {1, 2, 3, 4, 5, 6}), integers({}, {1}), Value(), integers({}, {4})},
             .outputs = {floats({2, 0, 3, 2}, {})},
             .opset = 17});
}

TEST(STFT, RefusesWhatItCannotTransform) {
  const auto refuse = [](const std::vector<Value>& inputs, ErrorCode code, const std::string& text) {
    expect_op_error({.op = "STFT", .inputs = inputs, .outputs = {floats({1}, {0})}, .opset = 17}, code, text);
  };
  const Tensor real = floats({1, 3, 1}, {1, 2, 3});
  refuse({floats({1, 2, 2}, {1, 2, 3, 4}), integers({}, {1})}, ErrorCode::invalid_model, "real signal");
  refuse({real, integers({}, {0})}, ErrorCode::run_failed, "frame_step");
  refuse({real, integers({}, {1}), floats({2}, {1, 1}), integers({}, {3})}, ErrorCode::run_failed, "window");
  refuse({real, integers({}, {1}), Value(), integers({}, {0})}, ErrorCode::run_failed, "length 0");
}

}  // namespace
}  // namespace onnxrun
