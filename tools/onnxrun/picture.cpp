#include "picture.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "inputs.h"
#include "media/files.h"
#include "media/image.h"
#include "onnxrun/error.h"

namespace onnxrun::cli {
namespace {

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::invalid_input, message); }

struct Size {
  int64_t width = 0;
  int64_t height = 0;
  bool nearest = false;
};

std::string to_string(int64_t width, int64_t height) { return std::to_string(width) + "x" + std::to_string(height); }

Size parse_size(const std::string& text) {
  const auto wrong = [&] { throw Error(ErrorCode::usage, "'" + text + "' is not WxH, WxH:bilinear or WxH:nearest"); };
  Size size;
  const char* end = text.data() + text.size();
  const auto width = std::from_chars(text.data(), end, size.width);
  if (width.ec != std::errc() || width.ptr == end || *width.ptr != 'x') wrong();
  const auto height = std::from_chars(width.ptr + 1, end, size.height);
  const std::string mode(height.ptr, end);
  if (height.ec != std::errc() || size.width < 1 || size.height < 1) wrong();
  if (!mode.empty() && mode != ":bilinear" && mode != ":nearest") wrong();
  size.nearest = mode == ":nearest";
  return size;
}

// Where the channels and the sizes are among the dimensions of an input.
struct Axes {
  bool has_batch = true;
  bool channels_first = true;

  size_t channels() const { return size_t{has_batch} + (channels_first ? 0 : 2); }
  size_t height() const { return size_t{has_batch} + (channels_first ? 1 : 0); }
};

Axes find_axes(const ValueInfo& info, const std::string& layout) {
  const std::vector<DeclaredDim>& dims = info.type.dims;
  Axes axes;
  axes.channels_first = layout == "nchw";
  if (!info.type.has_rank) return axes;
  if (dims.size() != 3 && dims.size() != 4) refuse("a picture does not fit input " + describe(info));
  axes.has_batch = dims.size() == 4;
  Axes other = axes;
  other.channels_first = !axes.channels_first;
  const auto takes = [&](const Axes& candidate, int64_t channels) {
    return dims[candidate.channels()].value == channels;
  };
  const auto is_sure = [&](const Axes& candidate) { return takes(candidate, 1) || takes(candidate, 3); };
  if (!is_sure(axes) && is_sure(other)) axes = other;
  if (!is_sure(axes) && dims[axes.channels()].known()) {
    refuse("a picture has 1 or 3 channels; input " + describe(info) + " takes others");
  }
  return axes;
}

Tensor to_tensor(const Image& image, bool channels_first) {
  const int64_t pixels = image.height * image.width;
  Tensor tensor(DType::uint8, channels_first ? Shape{1, image.channels, image.height, image.width}
                                             : Shape{1, image.height, image.width, image.channels});
  auto* dst = tensor.mutable_values<uint8_t>().data();
  if (!channels_first) {
    std::copy(image.pixels.begin(), image.pixels.end(), dst);
    return tensor;
  }
  for (int64_t c = 0; c < image.channels; ++c) {
    for (int64_t i = 0; i < pixels; ++i) *dst++ = image.pixels[static_cast<size_t>(i * image.channels + c)];
  }
  return tensor;
}

}  // namespace

bool PictureOptions::is_given() const { return preprocess.is_given() || !resize.empty() || bgr; }

void add_picture_options(CLI::App& app, PictureOptions& options) {
  app.add_option("--resize", options.resize, "Size of pictures; bilinear (the default) or nearest")
      ->type_name("WxH[:MODE]");
  CLI::Option* bgr = app.add_flag("--bgr", options.bgr, "The model takes blue first");
  app.add_flag_function(
         "--rgb", [](int64_t) {}, "The model takes red first (the default)")
      ->excludes(bgr);
  add_preprocess_options(app, options.preprocess);
}

bool is_picture(const std::string& path) {
  std::string suffix = std::filesystem::path(path).extension();
  std::transform(suffix.begin(), suffix.end(), suffix.begin(), [](unsigned char c) { return std::tolower(c); });
  const char* known[] = {".bmp", ".jpg", ".jpeg", ".jp2", ".j2k", ".pbm",  ".pgm",
                         ".pnm", ".ppm", ".pam",  ".png", ".tif", ".tiff", ".webp"};
  return std::find(std::begin(known), std::end(known), suffix) != std::end(known);
}

Value read_picture(const std::string& path, const ValueInfo& info, const PictureOptions& options) {
  const std::vector<std::byte> bytes = read_file(path);
  if (info.type.dtype == DType::uint8 && info.type.has_rank && info.type.dims.size() == 1) {
    return Tensor::copy_of({DType::uint8, {static_cast<int64_t>(bytes.size())}, bytes.data()});
  }
  const Axes axes = find_axes(info, options.preprocess.layout);
  const std::vector<DeclaredDim>& dims = info.type.dims;
  const auto extent = [&](size_t axis) { return info.type.has_rank ? dims[axis].value : -1; };
  const PixelFormat format = extent(axes.channels()) == 1 ? PixelFormat::grayscale
                             : options.bgr                ? PixelFormat::bgr
                                                          : PixelFormat::rgb;
  Image image;
  try {
    image = decode_image(bytes, format);
  } catch (const Error& error) {
    throw Error(error.code(), "'" + path + "': " + error.what());
  }
  if (!options.resize.empty()) {
    const Size size = parse_size(options.resize);
    const auto resize = size.nearest ? resize_nearest : resize_bilinear;
    image = resize(image, size.height, size.width);
  }
  const int64_t height = extent(axes.height());
  const int64_t width = extent(axes.height() + 1);
  if ((height >= 0 && height != image.height) || (width >= 0 && width != image.width)) {
    const std::string wanted = to_string(width >= 0 ? width : image.width, height >= 0 ? height : image.height);
    refuse("'" + path + "' has " + to_string(image.width, image.height) + " pixels, the input takes " + wanted +
           ": give it --resize " + wanted);
  }

  PreprocessOptions preprocessing = options.preprocess;
  preprocessing.layout = axes.channels_first ? "nchw" : "nhwc";
  ValueInfo batched = info;
  if (info.type.has_rank && !axes.has_batch) batched.type.dims.insert(batched.type.dims.begin(), DeclaredDim{1, ""});
  const Tensor tensor = preprocess(to_tensor(image, axes.channels_first), batched, preprocessing);
  if (axes.has_batch) return tensor;
  Shape shape = tensor.shape();
  shape.erase(0);
  return tensor.reshaped(shape);
}

}  // namespace onnxrun::cli
