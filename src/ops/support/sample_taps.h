#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace onnxrun::ops {

// The pixels that a sample along one axis is made of; index -1 is outside and counts as 0.
template <class T>
struct AxisTaps {
  int64_t index[4];
  T weight[4];
};

// The two pixels around x and their weights; those outside [0, extent) are 0.
template <class T>
AxisTaps<T> linear_taps(T x, int64_t extent) {
  if (!(x > -1 && x < static_cast<T>(extent))) return {{-1, -1}, {0, 0}};
  const auto low = static_cast<int64_t>(std::floor(x));
  const T fraction = x - static_cast<T>(low);
  return {{low, low + 1 < extent ? low + 1 : -1}, {1 - fraction, fraction}};
}

// Samples of an N-dimensional map between its pixels: `taps` pixels each, with their offsets in the map and weights.
template <class T>
class SampleTaps {
 public:
  SampleTaps(std::vector<int64_t> extents, int taps_per_axis) : extents_(std::move(extents)), per_axis_(taps_per_axis) {
    for (size_t axis = 0; axis < extents_.size(); ++axis) taps_ *= per_axis_;
  }

  int taps() const { return taps_; }
  const std::vector<int64_t>& extents() const { return extents_; }

  // Every product of the taps of all axes, times `factor`. Returns whether all are inside.
  bool combine(const AxisTaps<T>* axes, T factor, int64_t* offsets, T* weights) const {
    offsets[0] = 0;
    weights[0] = factor;
    int count = 1;
    bool inside = true;
    for (size_t axis = 0; axis < extents_.size(); ++axis) {
      // From behind, so that nothing is overwritten before it is read.
      for (int k = count; k-- > 0;) {
        const int64_t offset = offsets[k];
        const T weight = weights[k];
        for (int tap = per_axis_; tap-- > 0;) {
          const int64_t index = axes[axis].index[tap];
          offsets[k * per_axis_ + tap] = offset < 0 || index < 0 ? -1 : offset * extents_[axis] + index;
          weights[k * per_axis_ + tap] = weight * axes[axis].weight[tap];
          inside = inside && index >= 0;
        }
      }
      count *= per_axis_;
    }
    return inside;
  }

  // The value of a sample of a map whose pixels are `step` elements apart.
  T sum(const T* map, const int64_t* offsets, const T* weights, bool inside, int64_t step = 1) const {
    if (inside && taps_ == 4) {
      return weights[0] * map[offsets[0] * step] + weights[1] * map[offsets[1] * step] +
             (weights[2] * map[offsets[2] * step] + weights[3] * map[offsets[3] * step]);
    }
    T total = 0;
    for (int tap = 0; tap < taps_; ++tap) {
      if (offsets[tap] >= 0) total += weights[tap] * map[offsets[tap] * step];
    }
    return total;
  }

 private:
  std::vector<int64_t> extents_;
  int per_axis_;
  int taps_ = 1;
};

}  // namespace onnxrun::ops
