#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace onnxrun::ops {

// Plain arithmetic: that of std::complex minds infinities, at a price.
struct ComplexNumber {
  double re = 0;
  double im = 0;
};

// The discrete Fourier transform of a fixed length: dst[k] = sum of src[j] * exp(-+ 2 pi i j k / n), unscaled. Mixed
// radix after Cooley and Tukey, 1965; lengths with a large prime factor as a convolution after Bluestein, 1970.
// O(n log n) for every length.
class FourierTransform {
 public:
  using Number = ComplexNumber;  // that it transforms

  // `inverse`: with the sign +. \throws Error(limit) for a length beyond 2^28.
  FourierTransform(size_t n, bool inverse);

  // Complex numbers of scratch memory that run() needs.
  size_t scratch_size() const noexcept { return convolution_ ? 2 * convolution_->n_ : 0; }
  // A rough cost, for planning.
  double nanoseconds() const noexcept;

  // `dst` must not overlap `src`. Thread-safe.
  void run(const ComplexNumber* src, ComplexNumber* dst, ComplexNumber* scratch) const;

 private:
  void run_level(size_t level, size_t n, size_t stride, const ComplexNumber* src, ComplexNumber* dst) const;
  void combine(size_t radix, size_t parts, size_t stride, ComplexNumber* dst) const;
  void combine_2(size_t parts, size_t stride, ComplexNumber* dst) const;
  void combine_4(size_t parts, size_t stride, ComplexNumber* dst) const;
  void plan_convolution();
  void run_convolution(const ComplexNumber* src, ComplexNumber* dst, ComplexNumber* scratch) const;

  size_t n_;
  bool inverse_;
  std::vector<size_t> radices_;
  std::vector<ComplexNumber> roots_;  // exp(-+ 2 pi i j / n)
  // Bluestein's: a transform of a power of two, its inverse, exp(-+ pi i j^2 / n) and the transformed filter.
  std::unique_ptr<FourierTransform> convolution_, back_;
  std::vector<ComplexNumber> chirp_, filter_;
};

// Completes the spectrum of n real numbers, of which the first n / 2 + 1 are there.
void mirror(ComplexNumber* spectrum, size_t n);

// The transform of real numbers, with the sign -: the first n / 2 + 1 numbers of it. An even length is transformed as
// half as many complex numbers.
class RealFourierTransform {
 public:
  using Number = double;

  // \throws Error(limit) for a length beyond 2^28.
  explicit RealFourierTransform(size_t n);

  // Complex numbers of scratch memory that run() needs.
  size_t scratch_size() const noexcept;
  double nanoseconds() const noexcept { return transform_.nanoseconds() + static_cast<double>(n_); }

  // dst, [n / 2 + 1], must not overlap `src`, [n]. Thread-safe.
  void run(const double* src, ComplexNumber* dst, ComplexNumber* scratch) const;

 private:
  size_t n_;
  FourierTransform transform_;        // of n / 2 numbers, or of n where that is odd
  std::vector<ComplexNumber> roots_;  // exp(-2 pi i j / n)
};

}  // namespace onnxrun::ops
