// ImageDecoder: https://onnx.ai/onnx/operators/onnx__ImageDecoder.html, version 20. What cannot be decoded gives an
// image without pixels, [0, 0, channels].
#include <algorithm>
#include <string>

#include "graph/registry.h"
#include "media/image.h"
#include "onnxrun/error.h"

namespace onnxrun {
namespace {

class ImageDecoder : public Operator {
 public:
  explicit ImageDecoder(AttributeReader& attributes) {
    const std::string format = attributes.one_of("pixel_format", {"RGB", "BGR", "Grayscale"});
    format_ = format == "RGB" ? PixelFormat::rgb : format == "BGR" ? PixelFormat::bgr : PixelFormat::grayscale;
  }

  OperatorTraits traits() const override { return {.data_dependent = true}; }

  void infer(InferContext& context) const override {
    if (context.shape(0).has_rank() && context.shape(0).rank() != 1) context.fail("the encoded stream is not a vector");
    context.set_shape(0, {Dim::unknown(), Dim::unknown(), Dim(channels())});
  }

  void run(RunContext& context) const override {
    Image image;
    try {
      image = decode_image(std::as_bytes(context.input(0).values<uint8_t>()), format_);
    } catch (const Error&) {
      image = {0, 0, channels(), {}};
    }
    auto* dst = context.output<uint8_t>(0, DType::uint8, {image.height, image.width, image.channels});
    std::copy(image.pixels.begin(), image.pixels.end(), dst);
  }

 private:
  int64_t channels() const { return format_ == PixelFormat::grayscale ? 1 : 3; }

  PixelFormat format_;
};

}  // namespace

void register_image_decoder(OpRegistry& registry) {
  registry.add({.name = "ImageDecoder",
                .versions = {20},
                .signature = "encoded_stream:uint8 -> image:uint8",
                .create = make_operator<ImageDecoder>});
}

}  // namespace onnxrun
