#include "ops/support/fourier.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>

#include "onnxrun/error.h"

namespace onnxrun::ops {
namespace {

constexpr size_t kMaxLength = size_t{1} << 28;
constexpr size_t kMaxRadix = 31;

ComplexNumber operator+(ComplexNumber a, ComplexNumber b) { return {a.re + b.re, a.im + b.im}; }
ComplexNumber operator-(ComplexNumber a, ComplexNumber b) { return {a.re - b.re, a.im - b.im}; }
ComplexNumber operator*(ComplexNumber a, ComplexNumber b) {
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}
ComplexNumber conjugate(ComplexNumber a) { return {a.re, -a.im}; }
ComplexNumber halved(ComplexNumber a) { return {a.re / 2, a.im / 2}; }

// exp(-+ 2 pi i j / n); exact at quarter turns.
ComplexNumber root(size_t j, size_t n, bool inverse) {
  const size_t quarter = 4 * j / n;
  const double angle = 2 * std::numbers::pi * (static_cast<double>(4 * j - quarter * n) / 4) / static_cast<double>(n);
  const double c = std::cos(angle);
  const double s = std::sin(angle);
  const ComplexNumber turned[] = {{c, s}, {-s, c}, {-c, -s}, {s, -c}};
  return inverse ? turned[quarter] : conjugate(turned[quarter]);
}

// The transform of four numbers, to every parts-th place of dst.
[[gnu::always_inline]] inline void add_4(ComplexNumber a, ComplexNumber b, ComplexNumber c, ComplexNumber d,
                                         bool inverse, ComplexNumber* dst, size_t parts) {
  const ComplexNumber even = a + c;
  const ComplexNumber odd = a - c;
  const ComplexNumber sum = b + d;
  const ComplexNumber difference = inverse ? d - b : b - d;
  const ComplexNumber turned = {difference.im, -difference.re};
  dst[0] = even + sum;
  dst[parts] = odd + turned;
  dst[2 * parts] = even - sum;
  dst[3 * parts] = odd - turned;
}

}  // namespace

FourierTransform::FourierTransform(size_t n, bool inverse) : n_(n), inverse_(inverse) {
  if (n > kMaxLength) throw Error(ErrorCode::limit, "a Fourier transform of length " + std::to_string(n));
  size_t rest = n;
  for (size_t radix = 4; rest > 1 && radix <= kMaxRadix; radix = radix == 4 ? 2 : radix == 2 ? 3 : radix + 2) {
    for (; rest % radix == 0; rest /= radix) radices_.push_back(radix);
  }
  std::reverse(radices_.begin(), radices_.end());  // the fours last, where there is nothing to multiply
  if (rest > 1) {
    plan_convolution();
    return;
  }
  roots_.reserve(n);
  for (size_t j = 0; j < n; ++j) roots_.push_back(root(j, n, inverse));
}

double FourierTransform::nanoseconds() const noexcept {
  const auto n = static_cast<double>(n_);
  return convolution_ ? 2 * convolution_->nanoseconds() + 5 * n : n * (2 + std::log2(n + 1));
}

void FourierTransform::run(const ComplexNumber* src, ComplexNumber* dst, ComplexNumber* scratch) const {
  if (convolution_) return run_convolution(src, dst, scratch);
  run_level(0, n_, 1, src, dst);
}

// The transform of n numbers, `stride` apart: those of every radix-th number side by side, then combined.
void FourierTransform::run_level(size_t level, size_t n, size_t stride, const ComplexNumber* src,
                                 ComplexNumber* dst) const {
  if (n == 1) {
    *dst = *src;
    return;
  }
  const size_t radix = radices_[level];
  const size_t parts = n / radix;
  if (n == 4 && radix == 4) {
    add_4(src[0], src[stride], src[2 * stride], src[3 * stride], inverse_, dst, 1);
    return;
  }
  if (parts == 1) {
    for (size_t r = 0; r < radix; ++r) dst[r] = src[r * stride];
  } else {
    for (size_t r = 0; r < radix; ++r) run_level(level + 1, parts, stride * radix, src + r * stride, dst + r * parts);
  }
  if (radix == 4) {
    combine_4(parts, stride, dst);
  } else if (radix == 2) {
    combine_2(parts, stride, dst);
  } else {
    combine(radix, parts, stride, dst);
  }
}

void FourierTransform::combine_2(size_t parts, size_t stride, ComplexNumber* dst) const {
  for (size_t k = 0; k < parts; ++k) {
    const ComplexNumber a = dst[k];
    const ComplexNumber b = dst[k + parts] * roots_[k * stride];
    dst[k] = a + b;
    dst[k + parts] = a - b;
  }
}

void FourierTransform::combine_4(size_t parts, size_t stride, ComplexNumber* dst) const {
  const bool inverse = inverse_;
  for (size_t k = 0; k < parts; ++k) {
    add_4(dst[k], dst[k + parts] * roots_[k * stride], dst[k + 2 * parts] * roots_[2 * k * stride],
          dst[k + 3 * parts] * roots_[3 * k * stride], inverse, dst + k, parts);
  }
}

void FourierTransform::combine(size_t radix, size_t parts, size_t stride, ComplexNumber* dst) const {
  ComplexNumber terms[kMaxRadix];
  for (size_t k = 0; k < parts; ++k) {
    for (size_t r = 0; r < radix; ++r) terms[r] = dst[k + r * parts] * roots_[r * k * stride];
    for (size_t q = 0; q < radix; ++q) {
      ComplexNumber sum = terms[0];
      for (size_t r = 1; r < radix; ++r) sum = sum + terms[r] * roots_[q * r % radix * (n_ / radix)];
      dst[k + q * parts] = sum;
    }
  }
}

void FourierTransform::plan_convolution() {
  radices_.clear();
  size_t length = 1;
  while (length < 2 * n_ - 1) length *= 2;
  convolution_ = std::make_unique<FourierTransform>(length, false);
  back_ = std::make_unique<FourierTransform>(length, true);
  std::vector<ComplexNumber> filter(length);
  for (size_t j = 0; j < n_; ++j) {
    chirp_.push_back(root(j * j % (2 * n_), 2 * n_, inverse_));
    const ComplexNumber scaled = {chirp_[j].re / static_cast<double>(length),
                                  -chirp_[j].im / static_cast<double>(length)};
    filter[j] = scaled;
    if (j > 0) filter[length - j] = scaled;
  }
  filter_.resize(length);
  convolution_->run(filter.data(), filter_.data(), nullptr);
}

void FourierTransform::run_convolution(const ComplexNumber* src, ComplexNumber* dst, ComplexNumber* scratch) const {
  const size_t length = filter_.size();
  ComplexNumber* padded = scratch;
  ComplexNumber* spectrum = scratch + length;
  for (size_t j = 0; j < n_; ++j) padded[j] = src[j] * chirp_[j];
  for (size_t j = n_; j < length; ++j) padded[j] = {};
  convolution_->run(padded, spectrum, nullptr);
  for (size_t j = 0; j < length; ++j) spectrum[j] = spectrum[j] * filter_[j];
  back_->run(spectrum, padded, nullptr);
  for (size_t j = 0; j < n_; ++j) dst[j] = padded[j] * chirp_[j];
}

RealFourierTransform::RealFourierTransform(size_t n) : n_(n), transform_(n % 2 == 0 ? n / 2 : n, false) {
  for (size_t j = 0; n % 2 == 0 && j <= n / 2; ++j) roots_.push_back(root(j, n, false));
}

size_t RealFourierTransform::scratch_size() const noexcept {
  return transform_.scratch_size() + (roots_.empty() ? 2 * n_ : n_);
}

void RealFourierTransform::run(const double* src, ComplexNumber* dst, ComplexNumber* scratch) const {
  if (roots_.empty()) {
    for (size_t j = 0; j < n_; ++j) scratch[j] = {src[j], 0};
    transform_.run(scratch, scratch + n_, scratch + 2 * n_);
    std::copy_n(scratch + n_, n_ / 2 + 1, dst);
    return;
  }
  // z = even + i odd numbers; with the transforms of both known, one more step combines them.
  const size_t half = n_ / 2;
  ComplexNumber* z = scratch;
  ComplexNumber* y = scratch + half;
  for (size_t j = 0; j < half; ++j) z[j] = {src[2 * j], src[2 * j + 1]};
  transform_.run(z, y, scratch + 2 * half);
  for (size_t k = 0; k <= half; ++k) {
    const ComplexNumber p = halved(y[k == half ? 0 : k]);
    const ComplexNumber q = halved(conjugate(y[k == 0 ? 0 : half - k]));
    const ComplexNumber difference = p - q;
    dst[k] = p + q + ComplexNumber{difference.im, -difference.re} * roots_[k];
  }
}

void mirror(ComplexNumber* spectrum, size_t n) {
  for (size_t k = n / 2 + 1; k < n; ++k) spectrum[k] = conjugate(spectrum[n - k]);
}

}  // namespace onnxrun::ops
