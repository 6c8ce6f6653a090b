#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <ostream>

namespace onnxrun::testing {

// The distance between neighbouring floats around `value`.
inline double float_spacing(double value) {
  constexpr double kSmallest = static_cast<double>(std::numeric_limits<float>::denorm_min());
  if (value == 0 || !std::isfinite(value)) return kSmallest;
  int exponent = 0;
  std::frexp(value, &exponent);
  return std::max(std::ldexp(1.0, exponent - std::numeric_limits<float>::digits), kSmallest);
}

// Collects the error of float results against exact values in double precision.
class ErrorMeasure {
 public:
  void add(float actual, double exact) {
    ++count_;
    const double rounded = static_cast<double>(static_cast<float>(exact));
    if (std::isnan(exact) || std::isinf(rounded)) {
      const bool same = std::isnan(exact) ? std::isnan(actual) : static_cast<double>(actual) == rounded;
      // The largest finite float is half a unit from where rounding begins to give infinity.
      const bool near_limit = std::isinf(rounded) && !std::isnan(actual) && std::isfinite(exact) &&
                              std::fabs(actual) == std::numeric_limits<float>::max();
      special_mismatches_ += !same && !near_limit;
      return;
    }
    if (!std::isfinite(actual)) {
      const double limit = static_cast<double>(std::numeric_limits<float>::max());
      special_mismatches_ += std::isnan(actual) || std::fabs(exact) < limit * (1 - 1e-6);
      return;
    }
    const double error = std::fabs(static_cast<double>(actual) - exact);
    const double ulp = error / float_spacing(exact);
    max_absolute_ = std::max(max_absolute_, error);
    if (ulp > max_ulp_) {
      max_ulp_ = ulp;
      worst_ = exact;
    }
    if (exact != 0) square_sum_ += error / exact * (error / exact);
  }

  size_t count() const { return count_; }
  double max_absolute() const { return max_absolute_; }
  double max_ulp() const { return max_ulp_; }  // in spacings of floats at the exact value
  double worst() const { return worst_; }      // the exact value of the largest error in ULP
  double rms_relative() const { return count_ == 0 ? 0 : std::sqrt(square_sum_ / static_cast<double>(count_)); }
  size_t special_mismatches() const { return special_mismatches_; }  // NaN or infinity on one side only

 private:
  size_t count_ = 0;
  size_t special_mismatches_ = 0;
  double max_absolute_ = 0, max_ulp_ = 0, worst_ = 0, square_sum_ = 0;
};

inline std::ostream& operator<<(std::ostream& out, const ErrorMeasure& m) {
  return out << "max abs " << m.max_absolute() << ", max ULP " << m.max_ulp() << " at " << m.worst()
             << ", rms relative " << m.rms_relative() << ", special mismatches " << m.special_mismatches();
}

}  // namespace onnxrun::testing
