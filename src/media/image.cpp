#include "media/image.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string_view>

#include "media/image_formats.h"
#include "onnxrun/error.h"

namespace onnxrun {
namespace image_formats {

Image make_image(int64_t height, int64_t width, int64_t channels) {
  if (height < 1 || width < 1) throw Error(ErrorCode::invalid_input, "the picture has no pixels");
  if (height > kMaxPixels / width) {
    throw Error(ErrorCode::limit, "a picture of " + std::to_string(width) + " x " + std::to_string(height) + " pixels");
  }
  Image image{height, width, channels, {}};
  image.pixels.resize(static_cast<size_t>(height * width * channels));
  return image;
}

void refuse(const char* format, const std::string& why) {
  throw Error(ErrorCode::invalid_input, std::string(format) + ": " + why);
}

namespace {

Image decode(Bytes bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), std::min<size_t>(bytes.size(), 12));
  const auto begins = [&](std::string_view mark) { return text.starts_with(mark); };
  using namespace std::string_view_literals;
  if (begins("\xff\xd8\xff"sv)) return decode_jpeg(bytes);
  if (begins("\x89PNG\r\n\x1a\n"sv)) return decode_png(bytes);
  if (begins("BM"sv)) return decode_bmp(bytes);
  if (begins("RIFF"sv) && text.substr(std::min<size_t>(8, text.size())) == "WEBP"sv) return decode_webp(bytes);
  if (begins("II*\0"sv) || begins("MM\0*"sv) || begins("II+\0"sv) || begins("MM\0+"sv)) return decode_tiff(bytes);
  if (begins("\0\0\0\x0cjP  \r\n\x87\n"sv) || begins("\xff\x4f\xff\x51"sv)) return decode_jpeg2000(bytes);
  if (text.size() > 1 && text[0] == 'P' && text[1] >= '1' && text[1] <= '7') return decode_pnm(bytes);
  throw Error(ErrorCode::invalid_input, "the bytes are no picture of a known format");
}

uint8_t gray_of(const uint8_t* rgb) {
  // Factors of ITU-R BT.601 in 16 bits; their sum is 65536.
  return static_cast<uint8_t>((rgb[0] * 19595U + rgb[1] * 38470U + rgb[2] * 7471U + 0x8000U) >> 16);
}

}  // namespace
}  // namespace image_formats

Image decode_image(std::span<const std::byte> bytes, PixelFormat format) {
  Image image = image_formats::decode(bytes);
  const size_t count = static_cast<size_t>(image.height * image.width);
  if (format == PixelFormat::grayscale) {
    if (image.channels == 1) return image;
    for (size_t i = 0; i < count; ++i) image.pixels[i] = image_formats::gray_of(&image.pixels[3 * i]);
    image.pixels.resize(count);
    image.pixels.shrink_to_fit();
    image.channels = 1;
    return image;
  }
  if (image.channels == 1) {
    image.pixels.resize(3 * count);
    for (size_t i = count; i-- > 0;) std::memset(&image.pixels[3 * i], image.pixels[i], 3);
    image.channels = 3;
  } else if (format == PixelFormat::bgr) {
    for (size_t i = 0; i < count; ++i) std::swap(image.pixels[3 * i], image.pixels[3 * i + 2]);
  }
  return image;
}

namespace {

// The source pixels that one target pixel is made of.
struct Taps {
  int64_t first = 0;
  std::vector<float> weights;
};

std::vector<Taps> bilinear_taps(int64_t source, int64_t target) {
  const double scale = static_cast<double>(source) / static_cast<double>(target);
  const double reach = std::max(scale, 1.0);
  std::vector<Taps> all(static_cast<size_t>(target));
  for (int64_t i = 0; i < target; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    Taps& taps = all[static_cast<size_t>(i)];
    taps.first = std::max<int64_t>(0, std::llround(centre - reach));
    const int64_t end = std::min<int64_t>(source, std::llround(centre + reach));
    double sum = 0;
    for (int64_t j = taps.first; j < end; ++j) {
      const double weight = std::max(0.0, 1 - std::abs((static_cast<double>(j) + 0.5 - centre) / reach));
      taps.weights.push_back(static_cast<float>(weight));
      sum += weight;
    }
    for (float& weight : taps.weights) weight /= static_cast<float>(sum);
  }
  return all;
}

}  // namespace

Image resize_bilinear(const Image& image, int64_t height, int64_t width) {
  Image result = image_formats::make_image(height, width, image.channels);
  const std::vector<Taps> columns = bilinear_taps(image.width, width);
  const std::vector<Taps> rows = bilinear_taps(image.height, height);
  const auto stride = static_cast<size_t>(image.width * image.channels);
  const auto channels = static_cast<size_t>(image.channels);
  std::vector<float> row(stride);
  for (size_t y = 0; y < rows.size(); ++y) {
    std::fill(row.begin(), row.end(), 0.0F);
    const uint8_t* src = image.pixels.data() + static_cast<size_t>(rows[y].first) * stride;
    for (const float weight : rows[y].weights) {
      for (size_t i = 0; i < stride; ++i) row[i] += weight * static_cast<float>(src[i]);
      src += stride;
    }
    for (size_t x = 0; x < columns.size(); ++x) {
      for (size_t c = 0; c < channels; ++c) {
        float sum = 0.5F;
        size_t at = static_cast<size_t>(columns[x].first) * channels + c;
        for (const float weight : columns[x].weights) {
          sum += weight * row[at];
          at += channels;
        }
        result.pixels[(y * columns.size() + x) * channels + c] = static_cast<uint8_t>(std::min(sum, 255.0F));
      }
    }
  }
  return result;
}

Image resize_nearest(const Image& image, int64_t height, int64_t width) {
  Image result = image_formats::make_image(height, width, image.channels);
  const auto channels = static_cast<size_t>(image.channels);
  uint8_t* dst = result.pixels.data();
  for (int64_t y = 0; y < height; ++y) {
    const int64_t row = (2 * y + 1) * image.height / (2 * height);
    for (int64_t x = 0; x < width; ++x, dst += channels) {
      const int64_t column = (2 * x + 1) * image.width / (2 * width);
      std::memcpy(dst, &image.pixels[static_cast<size_t>(row * image.width + column) * channels], channels);
    }
  }
  return result;
}

}  // namespace onnxrun
