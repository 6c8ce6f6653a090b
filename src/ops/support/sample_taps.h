#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace onnxrun::ops {

// The pixels that a sample along one axis is made of; index -1 is outside and counts as 0.
template <class T>
struct AxisTaps {
  int64_t index[4];
  T weight[4];
};

// The largest integer up to x, without a call; |x| < 2^63.
template <class T>
int64_t floor_of(T x) {
  const auto cut = static_cast<int64_t>(x);
  return static_cast<T>(cut) > x ? cut - 1 : cut;
}

// The two pixels around x and their weights; those outside [0, extent) are 0.
template <class T>
AxisTaps<T> linear_taps(T x, int64_t extent) {
  if (!(x > -1 && x < static_cast<T>(extent))) return {{-1, -1}, {0, 0}};
  const int64_t low = floor_of(x);
  const T fraction = x - static_cast<T>(low);
  return {{low, low + 1 < extent ? low + 1 : -1}, {1 - fraction, fraction}};
}

// Samples of N-dimensional maps between their pixels, at places that many maps have in common.
template <class T>
class SampleBlock {
 public:
  // For up to `capacity` samples of maps of these extents.
  SampleBlock(std::vector<int64_t> extents, int taps_per_axis, int64_t capacity)
      : extents_(std::move(extents)),
        per_axis_(taps_per_axis),
        capacity_(capacity),
        taps_(tap_count(extents_, per_axis_)) {
    offsets_.resize(static_cast<size_t>(taps_ * capacity));
    weights_.resize(offsets_.size());
    position_.resize(static_cast<size_t>(capacity));
    count_.resize(static_cast<size_t>(capacity));
    clear();
  }

  static int64_t tap_count(const std::vector<int64_t>& extents, int taps_per_axis) {
    int64_t count = 1;
    for (size_t axis = 0; axis < extents.size(); ++axis) count *= taps_per_axis;
    return count;
  }

  void clear() {
    inside_ = 0;
    partial_ = capacity_;
  }

  // Sample `position`: every product of the taps of all axes, times `factor`.
  void add(int64_t position, const AxisTaps<T>* axes, T factor) {
    int64_t* offsets = offsets_.data() + inside_ * taps_;
    T* weights = weights_.data() + inside_ * taps_;
    if (combine(axes, factor, offsets, weights)) {
      position_[static_cast<size_t>(inside_++)] = position;
      return;
    }
    // Samples with pixels outside are kept at the end, with the other pixels alone.
    --partial_;
    int64_t count = 0;
    for (int64_t tap = 0; tap < taps_; ++tap) {
      if (offsets[tap] < 0) continue;
      const int64_t offset = offsets[tap];
      const T weight = weights[tap];
      offsets_[static_cast<size_t>(partial_ * taps_ + count)] = offset;
      weights_[static_cast<size_t>(partial_ * taps_ + count)] = weight;
      ++count;
    }
    position_[static_cast<size_t>(partial_)] = position;
    count_[static_cast<size_t>(partial_)] = count;
  }

  // dst[m * dst_step + position * step] = the sample of map m < count, of those that begin `map_step` elements after
  // one another; their pixels are `step` elements apart.
  void sum(const T* maps, int64_t map_step, int64_t count, T* dst, int64_t dst_step, int64_t step = 1) const {
    constexpr int64_t kTogether = 4;
    for (; count >= kTogether; count -= kTogether, maps += kTogether * map_step, dst += kTogether * dst_step) {
      sum_maps<kTogether>(maps, map_step, dst, dst_step, step);
    }
    for (; count > 0; --count, maps += map_step, dst += dst_step) sum_maps<1>(maps, map_step, dst, dst_step, step);
  }

  // With one tap each: dst[position] = the pixel, or zero outside. For every element type.
  template <class Element>
  void pick(const Element* map, Element* dst) const {
    for (int64_t i = 0; i < inside_; ++i)
      dst[position_[static_cast<size_t>(i)]] = map[offsets_[static_cast<size_t>(i)]];
    for (int64_t i = partial_; i < capacity_; ++i) dst[position_[static_cast<size_t>(i)]] = Element{};
  }

 private:
  template <int kMaps>
  void sum_maps(const T* maps, int64_t map_step, T* dst, int64_t dst_step, int64_t step) const {
    const auto sum_sample = [&](int64_t sample, auto taps) {
      const int64_t* offsets = offsets_.data() + sample * taps_;
      const T* weights = weights_.data() + sample * taps_;
      T totals[kMaps] = {};
      for (int64_t tap = 0; tap < taps; ++tap) {
        const T* pixel = maps + offsets[tap] * step;
        for (int64_t m = 0; m < kMaps; ++m) totals[m] += weights[tap] * pixel[m * map_step];
      }
      T* to = dst + position_[static_cast<size_t>(sample)] * step;
      for (int64_t m = 0; m < kMaps; ++m) to[m * dst_step] = totals[m];
    };
    if (taps_ == 4) {
      for (int64_t i = 0; i < inside_; ++i) sum_sample(i, std::integral_constant<int64_t, 4>());
    } else {
      for (int64_t i = 0; i < inside_; ++i) sum_sample(i, taps_);
    }
    for (int64_t i = partial_; i < capacity_; ++i) sum_sample(i, count_[static_cast<size_t>(i)]);
  }

  // The taps of a sample; -1 is an offset outside. Returns whether all are inside.
  bool combine(const AxisTaps<T>* axes, T factor, int64_t* offsets, T* weights) const {
    if (taps_ == 4 && extents_.size() == 2) {
      const AxisTaps<T>&y = axes[0], &x = axes[1];
      bool inside = true;
      for (int k = 0; k < 4; ++k) {
        const int64_t row = y.index[k / 2], column = x.index[k % 2];
        const bool is_inside = row >= 0 && column >= 0;
        offsets[k] = is_inside ? row * extents_[1] + column : -1;
        weights[k] = factor * y.weight[k / 2] * x.weight[k % 2];
        inside = inside && is_inside;
      }
      return inside;
    }
    offsets[0] = 0;
    weights[0] = factor;
    int64_t count = 1;
    bool inside = true;
    for (size_t axis = 0; axis < extents_.size(); ++axis) {
      // From behind, so that nothing is overwritten before it is read.
      for (int64_t k = count; k-- > 0;) {
        const int64_t offset = offsets[k];
        const T weight = weights[k];
        for (int tap = per_axis_; tap-- > 0;) {
          const int64_t index = axes[axis].index[tap];
          inside = inside && index >= 0;
          offsets[k * per_axis_ + tap] = offset < 0 || index < 0 ? -1 : offset * extents_[axis] + index;
          weights[k * per_axis_ + tap] = weight * axes[axis].weight[tap];
        }
      }
      count *= per_axis_;
    }
    return inside;
  }

  std::vector<int64_t> extents_;
  int per_axis_;
  int64_t capacity_, taps_;
  int64_t inside_ = 0, partial_ = 0;  // samples [0, inside_) have all taps, [partial_, capacity_) some
  std::vector<int64_t> offsets_, position_, count_;
  std::vector<T> weights_;
};

}  // namespace onnxrun::ops
