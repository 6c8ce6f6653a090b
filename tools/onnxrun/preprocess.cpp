#include "preprocess.h"

#include "elements.h"
#include "inputs.h"
#include "onnxrun/error.h"
#include "quantity.h"

namespace onnxrun::cli {
namespace {

// Whether samples of this shape can go into the input, the batch dimension aside.
bool fits(const Shape& shape, const ValueType& type) {
  if (!type.has_rank) return true;
  if (shape.rank() != type.dims.size()) return false;
  for (size_t axis = 1; axis < shape.rank(); ++axis) {
    if (type.dims[axis].known() && type.dims[axis].value != shape[axis]) return false;
  }
  return true;
}

// One factor and one summand a channel: x * factor + summand.
struct Affine {
  std::vector<double> factors;
  std::vector<double> summands;
};

Affine make_affine(const PreprocessOptions& options) {
  const double scale = parse_number(options.scale);
  std::vector<double> means, deviations;
  for (const std::string& text : options.mean) means.push_back(parse_number(text));
  for (const std::string& text : options.deviation) deviations.push_back(parse_number(text));
  if (means.empty()) means.push_back(0);
  if (deviations.empty()) deviations.push_back(1);
  const size_t channels = std::max(means.size(), deviations.size());
  Affine affine;
  for (size_t c = 0; c < channels; ++c) {
    const double mean = means.size() == 1 ? means[0] : c < means.size() ? means[c] : 0;
    const double deviation = deviations.size() == 1 ? deviations[0] : c < deviations.size() ? deviations[c] : 0;
    if (deviation == 0) throw Error(ErrorCode::usage, "--std needs one number other than 0 for each of --mean");
    affine.factors.push_back(scale / deviation);
    affine.summands.push_back(-mean / deviation);
  }
  return affine;
}

// [N, H, W, C] to [N, C, H, W], or back.
Tensor with_channels_moved(const Tensor& src, bool channels_first) {
  const Shape& s = src.shape();
  const size_t from = channels_first ? 3 : 1, to = channels_first ? 1 : 3;
  Shape shape = s;
  shape.erase(from);
  shape.insert(to, s[from]);
  Tensor dst(src.dtype(), shape);
  const int64_t channels = s[from], pixels = src.elements() / std::max<int64_t>(s[0] * channels, 1);
  for (int64_t n = 0; n < s[0]; ++n) {
    for (int64_t i = 0; i < pixels; ++i) {
      for (int64_t c = 0; c < channels; ++c) {
        const int64_t last = (n * pixels + i) * channels + c, first = (n * channels + c) * pixels + i;
        const double value = static_cast<double>(element_as_real(src, channels_first ? last : first));
        set_element(dst, channels_first ? first : last, value);
      }
    }
  }
  return dst;
}

Tensor with_fitting_shape(const Tensor& samples, const ValueInfo& info, bool channels_first) {
  const Shape& shape = samples.shape();
  if (fits(shape, info.type)) return samples;
  if (shape.rank() == 3) {
    Shape with_channel = shape;
    with_channel.insert(channels_first ? 1 : 3, 1);
    if (fits(with_channel, info.type)) return samples.reshaped(with_channel);
  }
  if (shape.rank() == 4) {
    Tensor moved = with_channels_moved(samples, channels_first);
    if (fits(moved.shape(), info.type)) return moved;
  }
  throw Error(ErrorCode::invalid_input,
              "samples of shape " + shape.to_string() + " do not fit input " + describe(info));
}

}  // namespace

void add_preprocess_options(CLI::App& app, PreprocessOptions& options) {
  app.add_option("--scale", options.scale, "Factor of the elements, like 1/255")->type_name("X")->capture_default_str();
  app.add_option("--mean", options.mean, "Subtracted behind --scale, one or one a channel")
      ->type_name("X,...")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--std", options.deviation, "Divides behind --mean, one or one a channel")
      ->type_name("X,...")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--layout", options.layout, "Where the model takes the channels")
      ->check(CLI::IsMember({"nchw", "nhwc"}))
      ->capture_default_str();
}

Tensor preprocess(const Tensor& samples, const ValueInfo& info, const PreprocessOptions& options) {
  const Affine affine = make_affine(options);
  const bool channels_first = options.layout == "nchw";
  Tensor fitting = with_fitting_shape(samples, info, channels_first);
  const size_t affine_channels = affine.factors.size();
  const bool identity = affine_channels == 1 && affine.factors[0] == 1 && affine.summands[0] == 0;
  if (identity && fitting.dtype() == info.type.dtype) return fitting;

  const Shape& shape = fitting.shape();
  const size_t channel_axis = channels_first ? 1 : shape.rank() - 1;
  const int64_t channels = shape.rank() > 1 ? shape[channel_axis] : 1;
  if (affine_channels > 1 && static_cast<int64_t>(affine_channels) != channels) {
    throw Error(ErrorCode::usage, "--mean and --std have " + std::to_string(affine_channels) + " numbers, the input " +
                                      std::to_string(channels) + " channels");
  }
  const int64_t inner = shape.rank() > 1 ? shape.elements(channel_axis + 1, shape.rank()) : 1;
  Tensor result(info.type.dtype, shape);
  for (int64_t i = 0; i < fitting.elements(); ++i) {
    const size_t c = affine_channels == 1 ? 0 : static_cast<size_t>(i / inner % channels);
    const double value = static_cast<double>(element_as_real(fitting, i));
    set_element(result, i, value * affine.factors[c] + affine.summands[c]);
  }
  return result;
}

}  // namespace onnxrun::cli
