#pragma once

#include <cstdint>
#include <vector>

#include "graph/attribute.h"
#include "graph/dim.h"

namespace onnxrun::ops {

// How the positions of one resized axis are made: each from `taps` input positions.
struct AxisSampling {
  int64_t input = 1, output = 1;
  size_t taps = 1;
  std::vector<int64_t> index;   // [output, taps], inside the input; kOutside: the extrapolation value
  std::vector<double> weights;  // [output, taps]; empty: all are 1, with one tap

  static constexpr int64_t kOutside = -1;

  bool is_identity() const;
};

// The attributes of Resize that place and weigh the taps: https://onnx.ai/onnx/operators/onnx__Resize.html. Those that
// the version in force does not have keep what it meant: before version 11, `asymmetric` and the lower neighbour when
// an axis grows, the upper one when it shrinks.
class SamplingRule {
 public:
  // \throws Error(invalid_model) naming the attribute.
  explicit SamplingRule(AttributeReader& attributes);
  // Upsample: `mode` is "nearest" or "linear".
  explicit SamplingRule(const std::string& mode) : mode_(mode == "nearest" ? Mode::nearest : Mode::linear) {}

  bool is_nearest() const { return mode_ == Mode::nearest; }
  bool needs_roi() const { return transformation_ == Transformation::tf_crop_and_resize; }

  // The axis `input` -> `output` with the factor `scale`, which need not be their quotient, and the region of interest
  // [roi_begin, roi_end] in units of the input. Both extents are positive.
  AxisSampling sample(int64_t input, int64_t output, double scale, double roi_begin, double roi_end) const;

 private:
  enum class Mode : uint8_t { nearest, linear, cubic };
  enum class Transformation : uint8_t {
    half_pixel,
    half_pixel_symmetric,
    pytorch_half_pixel,
    align_corners,
    asymmetric,
    tf_half_pixel_for_nn,
    tf_crop_and_resize
  };
  enum class NearestMode : uint8_t { round_prefer_floor, round_prefer_ceil, floor, ceil, by_direction };

  struct Axis {
    int64_t input, output;
    double scale, roi_begin, roi_end;
  };

  double original(const Axis& axis, int64_t position) const;
  int64_t nearest(double x, double scale) const;
  double filter(double distance) const;
  void add_taps(AxisSampling& sampling, double x, double stretch) const;

  Mode mode_ = Mode::nearest;
  Transformation transformation_ = Transformation::asymmetric;
  NearestMode nearest_mode_ = NearestMode::by_direction;
  double cubic_coeff_a_ = -0.75;
  bool antialias_ = false;
  bool exclude_outside_ = false;
  bool fractional_length_ = false;  // the length of the output is what the scale asks for, before it is rounded down
};

// The extent floor(input * scale), the product in single precision as scales are. \throws Error(invalid_model) for a
// scale that is not positive.
Dim scaled_extent(const Dim& input, double scale);

// The sampling of every axis of `input` -> `output`; `roi` is empty or has the beginnings and then the ends.
// \throws Error(invalid_model) where an empty axis should grow.
std::vector<AxisSampling> sample_axes(const SamplingRule& rule, const Shape& input, const Shape& output,
                                      const std::vector<double>& scales, const std::vector<double>& roi);

// The elements of a small tensor of floats.
std::vector<double> read_floats(const Tensor& tensor);

}  // namespace onnxrun::ops
