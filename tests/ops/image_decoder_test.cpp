#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

// Two pixels as PPM.
Tensor picture() {
  const std::string text("P6 2 1 255\n\x0a\x14\x1e\xff\x00\x80", 17);
  return Tensor::of<uint8_t>(DType::uint8, {17}, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

void expect_image(const Tensor& bytes, const std::string& format, const Tensor& image) {
  expect_op({.op = "ImageDecoder",
             .inputs = {bytes},
             .outputs = {image},
             .attributes = {{"pixel_format", format}},
             .opset = 20});
}

TEST(ImageDecoder, GivesEveryPixelFormat) {
  expect_image(picture(), "RGB", numbers(DType::uint8, {1, 2, 3}, {10, 20, 30, 255, 0, 128}));
  expect_image(picture(), "BGR", numbers(DType::uint8, {1, 2, 3}, {30, 20, 10, 128, 0, 255}));
  expect_image(picture(), "Grayscale", numbers(DType::uint8, {1, 2, 1}, {18, 91}));
}

TEST(ImageDecoder, GivesNothingForWhatIsNoPicture) {
  expect_image(numbers(DType::uint8, {3}, {1, 2, 3}), "RGB", numbers(DType::uint8, {0, 0, 3}, {}));
  expect_image(numbers(DType::uint8, {0}, {}), "Grayscale", numbers(DType::uint8, {0, 0, 1}, {}));
}

TEST(ImageDecoder, RefusesOtherFormatsAndShapes) {
  const auto refuse = [](const Tensor& bytes, const std::string& format, const std::string& text) {
    expect_op_error({.op = "ImageDecoder",
                     .inputs = {bytes},
                     .outputs = {numbers(DType::uint8, {0, 0, 3}, {})},
                     .attributes = {{"pixel_format", format}},
                     .opset = 20},
                    ErrorCode::invalid_model, text);
  };
  refuse(picture(), "CMYK", "pixel_format");
  refuse(numbers(DType::uint8, {1, 1}, {1}), "RGB", "vector");
}

}  // namespace
}  // namespace onnxrun
