#include "ops/support/axis_sampling.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "onnxrun/error.h"
#include "ops/support/convert.h"

namespace onnxrun::ops {
namespace {

// The place of `value` among `names`.
template <class Enum>
Enum index_of(std::initializer_list<std::string_view> names, const std::string& value) {
  return static_cast<Enum>(std::distance(names.begin(), std::find(names.begin(), names.end(), value)));
}

constexpr double kFarthest = 0x1p40;  // keeps positions inside the integers

// What a scale asks for, before it is rounded down: a product in single precision.
double resized_length(int64_t input, double scale) {
  return static_cast<double>(static_cast<float>(static_cast<double>(input) * scale));
}

}  // namespace

bool AxisSampling::is_identity() const {
  if (input != output) return false;
  for (size_t k = 0; k < index.size(); ++k) {
    const bool is_own = index[k] == static_cast<int64_t>(k / taps);
    const double weight = weights.empty() ? 1 : weights[k];
    if (weight != (is_own ? 1 : 0)) return false;
  }
  return true;
}

SamplingRule::SamplingRule(AttributeReader& attributes) {
  const int64_t version = attributes.version();
  const auto modes = {std::string_view("nearest"), std::string_view("linear"), std::string_view("cubic")};
  if (version < 11) {
    mode_ = index_of<Mode>(modes, attributes.one_of("mode", {"nearest", "linear"}));
    return;
  }
  mode_ = index_of<Mode>(modes, attributes.one_of("mode", modes));
  const char* by_version = version < 13 ? "tf_half_pixel_for_nn" : version < 19 ? "half_pixel" : "half_pixel_symmetric";
  const std::string transformation = attributes.one_of(
      "coordinate_transformation_mode",
      {"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize", by_version});
  transformation_ =
      index_of<Transformation>({"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
                                "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"},
                               transformation);
  const auto nearest_modes = {std::string_view("round_prefer_floor"), std::string_view("round_prefer_ceil"),
                              std::string_view("floor"), std::string_view("ceil")};
  nearest_mode_ = index_of<NearestMode>(nearest_modes, attributes.one_of("nearest_mode", nearest_modes));
  cubic_coeff_a_ = static_cast<double>(attributes.number("cubic_coeff_a", -0.75F));
  exclude_outside_ = attributes.flag("exclude_outside", false);
  fractional_length_ = version >= 19;
  if (version >= 18) antialias_ = attributes.flag("antialias", false);
}

// The position of the input that `position` of the output looks at.
double SamplingRule::original(const Axis& axis, int64_t position) const {
  const auto x = static_cast<double>(position);
  const auto input = static_cast<double>(axis.input);
  const double length = fractional_length_ ? resized_length(axis.input, axis.scale) : static_cast<double>(axis.output);
  switch (transformation_) {
    case Transformation::half_pixel:
      return (x + 0.5) / axis.scale - 0.5;
    case Transformation::half_pixel_symmetric:
      return input / 2 * (1 - static_cast<double>(axis.output) / length) + (x + 0.5) / axis.scale - 0.5;
    case Transformation::pytorch_half_pixel:
      return axis.output > 1 ? (x + 0.5) / axis.scale - 0.5 : 0;
    case Transformation::align_corners:
      return axis.output > 1 ? x * (input - 1) / (length - 1) : 0;
    case Transformation::asymmetric:
      return x / axis.scale;
    case Transformation::tf_half_pixel_for_nn:
      return (x + 0.5) / axis.scale;
    case Transformation::tf_crop_and_resize:
      break;
  }
  if (axis.output == 1) return 0.5 * (axis.roi_begin + axis.roi_end) * (input - 1);
  return axis.roi_begin * (input - 1) + x * (axis.roi_end - axis.roi_begin) * (input - 1) / (length - 1);
}

int64_t SamplingRule::nearest(double x, double scale) const {
  switch (nearest_mode_) {
    case NearestMode::round_prefer_floor:
      return static_cast<int64_t>(std::ceil(x - 0.5));
    case NearestMode::round_prefer_ceil:
      return static_cast<int64_t>(std::floor(x + 0.5));
    case NearestMode::floor:
      return static_cast<int64_t>(std::floor(x));
    case NearestMode::ceil:
      return static_cast<int64_t>(std::ceil(x));
    case NearestMode::by_direction:
      break;
  }
  return static_cast<int64_t>(scale < 1 ? std::ceil(x) : std::floor(x));
}

// The triangle of linear interpolation; Keys, "Cubic convolution interpolation for digital image processing", 1981.
double SamplingRule::filter(double distance) const {
  const double x = std::abs(distance);
  if (mode_ == Mode::linear) return std::max(0.0, 1 - x);
  const double a = cubic_coeff_a_;
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((x - 5) * x + 8) * x * a - 4 * a : 0;
}

// The taps of a position at `x`; `stretch` <= 1 widens the filter.
void SamplingRule::add_taps(AxisSampling& sampling, double x, double stretch) const {
  const auto before = static_cast<int64_t>(sampling.taps / 2) - 1;
  // An antialiasing window lies left of a pixel that it hits.
  const auto left = static_cast<int64_t>(antialias_ ? std::ceil(x) - 1 : std::floor(x));
  std::vector<double> weights;
  double sum = 0;
  double inside = 0;
  for (size_t tap = 0; tap < sampling.taps; ++tap) {
    const int64_t index = left - before + static_cast<int64_t>(tap);
    double weight = filter((static_cast<double>(index) - x) * stretch);
    sum += weight;
    if (exclude_outside_ && (index < 0 || index >= sampling.input)) weight = 0;
    inside += weight;
    weights.push_back(weight);
    sampling.index.push_back(std::clamp<int64_t>(index, 0, sampling.input - 1));
  }
  const double total = exclude_outside_ ? inside : antialias_ ? sum : 1;
  for (const double weight : weights) sampling.weights.push_back(total == 0 ? 0 : weight / total);
}

AxisSampling SamplingRule::sample(int64_t input, int64_t output, double scale, double roi_begin, double roi_end) const {
  const Axis axis{input, output, scale, roi_begin, roi_end};
  const double stretch = antialias_ ? std::min(scale, 1.0) : 1.0;
  AxisSampling sampling;
  sampling.input = input;
  sampling.output = output;
  if (mode_ != Mode::nearest) {
    const double radius = mode_ == Mode::linear ? 1 : 2;
    sampling.taps = static_cast<size_t>(std::ceil(radius / stretch)) * 2;
  }
  for (int64_t position = 0; position < output; ++position) {
    const double x = std::clamp(original(axis, position), -kFarthest, kFarthest);
    // Decisions are made on single precision, which gives 1 for 1 / (the float nearest to 1/3) * 1/3 and the like.
    const double rounded = static_cast<double>(static_cast<float>(x));
    if (needs_roi() && !(rounded >= 0 && rounded <= static_cast<double>(input - 1))) {
      sampling.index.insert(sampling.index.end(), sampling.taps, AxisSampling::kOutside);
      if (mode_ != Mode::nearest) sampling.weights.insert(sampling.weights.end(), sampling.taps, 0.0);
    } else if (mode_ == Mode::nearest) {
      sampling.index.push_back(std::clamp<int64_t>(nearest(rounded, scale), 0, input - 1));
    } else {
      add_taps(sampling, x, stretch);
    }
  }
  return sampling;
}

Dim scaled_extent(const Dim& input, double scale) {
  if (!(scale > 0) || std::isinf(scale)) {
    throw Error(ErrorCode::invalid_model, "a scale cannot be " + std::to_string(scale));
  }
  if (input.is_number()) {
    const double length = resized_length(input.number(), scale);
    if (length > 0x1p53) throw Error(ErrorCode::limit, "a scale makes the extent " + std::to_string(length));
    return static_cast<int64_t>(length);
  }
  const double inverse = 1 / scale;
  if (scale == std::floor(scale) && scale < 0x1p31) return input * Dim(static_cast<int64_t>(scale));
  if (inverse == std::floor(inverse) && inverse < 0x1p31) return floor_div(input, static_cast<int64_t>(inverse));
  return Dim::unknown();
}

std::vector<AxisSampling> sample_axes(const SamplingRule& rule, const Shape& input, const Shape& output,
                                      const std::vector<double>& scales, const std::vector<double>& roi) {
  std::vector<AxisSampling> axes;
  if (output.elements() == 0) return axes;
  const size_t rank = input.rank();
  for (size_t axis = 0; axis < rank; ++axis) {
    if (input[axis] == 0) {
      throw Error(ErrorCode::invalid_model, "nothing to resize along axis " + std::to_string(axis));
    }
    axes.push_back(rule.sample(input[axis], output[axis], scales[axis], roi.empty() ? 0 : roi[axis],
                               roi.empty() ? 1 : roi[rank + axis]));
  }
  return axes;
}

std::vector<double> read_floats(const Tensor& tensor) {
  std::vector<double> values(static_cast<size_t>(tensor.elements()));
  make_convert(tensor.dtype(), DType::float64)(tensor.data(), values.data(), 0, tensor.elements());
  return values;
}

}  // namespace onnxrun::ops
