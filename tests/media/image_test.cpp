#include "media/image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>

#include "media/files.h"
#include "onnxrun/error.h"

namespace onnxrun {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;

// Pictures of 32 x 24 pixels, written by the libraries of their formats: pixel (x, y) is (8 x, 10 y, 255 - 4 x - 5 y),
// of gray ones 4 x + 5 y.
const std::filesystem::path kSamples = ONNXRUN_SOURCE_DIR "/tests/media/data/images";
constexpr int kWidth = 32, kHeight = 24;

std::vector<uint8_t> colours() {
  std::vector<uint8_t> pixels;
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      for (const int value : {8 * x, 10 * y, 255 - 4 * x - 5 * y}) pixels.push_back(static_cast<uint8_t>(value));
    }
  }
  return pixels;
}

std::vector<uint8_t> grays() {
  std::vector<uint8_t> pixels;
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) pixels.push_back(static_cast<uint8_t>(4 * x + 5 * y));
  }
  return pixels;
}

Image decode(const std::string& bytes, PixelFormat format = PixelFormat::rgb) {
  return decode_image(std::as_bytes(std::span(bytes)), format);
}

Image decode_sample(const std::string& name, PixelFormat format = PixelFormat::rgb) {
  return decode_image(read_file(kSamples / name), format);
}

int largest_difference(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b) {
  int largest = a.size() == b.size() ? 0 : 256;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

void expect_refused(const std::string& bytes, ErrorCode code, const std::string& text) {
  try {
    decode(bytes);
    ADD_FAILURE() << "not refused: " << text;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    EXPECT_THAT(error.what(), HasSubstr(text));
  }
}

// Whether this build reads the format of the sample; otherwise it must say that it does not.
bool reads(const std::string& name) {
  static const std::map<std::string, bool> kFormats = {{"png", ONNXRUN_WITH_PNG},      {"webp", ONNXRUN_WITH_WEBP},
                                                       {"tif", ONNXRUN_WITH_TIFF},     {"jpg", ONNXRUN_WITH_JPEG},
                                                       {"jp2", ONNXRUN_WITH_JPEG2000}, {"j2k", ONNXRUN_WITH_JPEG2000}};
  if (kFormats.at(name.substr(name.find('.') + 1))) return true;
  const auto bytes = read_file(kSamples / name);
  expect_refused({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, ErrorCode::invalid_input,
                 "this build does not read the format");
  return false;
}

TEST(DecodeImage, ReadsLosslessFormats) {
  for (const char* name : {"rgb.png", "interlaced.png", "rgba.png", "rgb.webp", "rgb.tif", "rgb.jp2"}) {
    SCOPED_TRACE(name);
    if (!reads(name)) continue;
    const Image image = decode_sample(name);
    EXPECT_EQ(image.width, kWidth);
    EXPECT_EQ(image.height, kHeight);
    EXPECT_EQ(image.channels, 3);
    EXPECT_EQ(image.pixels, colours());
  }
  for (const char* name : {"gray16.png", "gray.tif", "gray.j2k"}) {
    SCOPED_TRACE(name);
    if (!reads(name)) continue;
    const Image image = decode_sample(name, PixelFormat::grayscale);
    EXPECT_EQ(image.channels, 1);
    EXPECT_EQ(image.pixels, grays());
  }
  if (!reads("palette.png")) return;
  const Image palette = decode_sample("palette.png");
  const std::vector<uint8_t> first(palette.pixels.begin(), palette.pixels.begin() + 12);
  EXPECT_THAT(first, ElementsAre(0, 0, 0, 255, 0, 0, 0, 255, 0, 10, 20, 30));
}

TEST(DecodeImage, ReadsJpegClosely) {
  for (const char* name : {"rgb.jpg", "progressive.jpg", "cmyk.jpg"}) {
    SCOPED_TRACE(name);
    if (!reads(name)) return;
    EXPECT_LE(largest_difference(decode_sample(name).pixels, colours()), 12);
  }
  EXPECT_EQ(decode_sample("rgb.jpg").pixels, decode_sample("progressive.jpg").pixels);
  EXPECT_LE(largest_difference(decode_sample("gray.jpg", PixelFormat::grayscale).pixels, grays()), 3);
}

TEST(DecodeImage, GivesEveryPixelFormat) {
  const std::string ppm("P6 2 1 255\n\x0a\x14\x1e\xff\x00\x80", 17);
  EXPECT_THAT(decode(ppm).pixels, ElementsAre(10, 20, 30, 255, 0, 128));
  EXPECT_THAT(decode(ppm, PixelFormat::bgr).pixels, ElementsAre(30, 20, 10, 128, 0, 255));
  // 0.299 * 10 + 0.587 * 20 + 0.114 * 30 = 18.15, 0.299 * 255 + 0.114 * 128 = 90.8
  EXPECT_THAT(decode(ppm, PixelFormat::grayscale).pixels, ElementsAre(18, 91));
  const std::string pgm("P5 2 1 255\n\x05\xc8", 13);
  EXPECT_THAT(decode(pgm).pixels, ElementsAre(5, 5, 5, 200, 200, 200));
}

TEST(DecodeImage, ReadsEveryPnm) {
  const auto gray = [](const std::string& bytes) { return decode(bytes, PixelFormat::grayscale).pixels; };
  EXPECT_THAT(gray("P1\n# comment\n3 2\n010 1 1 0\n"), ElementsAre(255, 0, 255, 0, 0, 255));
  EXPECT_THAT(gray(std::string("P4 9 2\n\xaa\x80\x00\x00", 11)),
              ElementsAre(0, 255, 0, 255, 0, 255, 0, 255, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255));
  EXPECT_THAT(gray("P2 3 1 3\n0 1 3"), ElementsAre(0, 85, 255));
  EXPECT_THAT(gray(std::string("P5 2 1 65535\n\x01\x01\xff\xff", 17)), ElementsAre(1, 255));
  EXPECT_THAT(decode("P3 1 1 15\n15 0 5").pixels, ElementsAre(255, 0, 85));
  const std::string pam = "P7\nWIDTH 1\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n\x01\x02\x03\x04";
  EXPECT_THAT(decode(pam).pixels, ElementsAre(1, 2, 3));
}

std::string little(uint32_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(uint64_t{value} >> std::min(8 * i, 56) & 255);
  return text;
}

// A file with the usual header; `colours` stands between it and the pixels.
std::string bmp(int width, int height, int bits, int compression, const std::string& colours,
                const std::string& pixels) {
  return "BM" + little(0, 8) + little(static_cast<uint32_t>(54 + colours.size()), 4) + little(40, 4) +
         little(static_cast<uint32_t>(width), 4) + little(static_cast<uint32_t>(height), 4) + little(1, 2) +
         little(static_cast<uint32_t>(bits), 2) + little(static_cast<uint32_t>(compression), 4) + little(0, 12) +
         little(static_cast<uint32_t>(bits <= 8 ? colours.size() / 4 : 0), 4) + little(0, 4) + colours + pixels;
}

TEST(DecodeImage, ReadsEveryBmp) {
  const std::string row1("\x03\x02\x01\x06\x05\x04\x00\x00", 8);
  const std::string row2("\x09\x08\x07\x0c\x0b\x0a\x00\x00", 8);
  const auto upright = ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
  EXPECT_THAT(decode(bmp(2, 2, 24, 0, "", row2 + row1)).pixels, upright);
  EXPECT_THAT(decode(bmp(2, -2, 24, 0, "", row1 + row2)).pixels, upright);
  EXPECT_THAT(decode(bmp(1, 1, 32, 0, "", "\x03\x02\x01\x7f")).pixels, ElementsAre(1, 2, 3));
  // 5 bits each: 31, 0, 1; by fields of 5, 6 and 5 bits 31, 63, 0.
  EXPECT_THAT(decode(bmp(1, 1, 16, 0, "", std::string("\x01\x7c\x00\x00", 4))).pixels, ElementsAre(255, 0, 8));
  EXPECT_THAT(decode(bmp(1, 1, 16, 3, little(0xf800, 4) + little(0x7e0, 4) + little(0x1f, 4),
                         std::string("\xe0\xff\x00\x00", 4)))
                  .pixels,
              ElementsAre(255, 255, 0));
  const std::string palette = little(0x000000, 4) + little(0x0000ff, 4) + little(0x00ff00, 4) + little(0x1e140a, 4);
  const auto gray = [&](const std::string& file) { return decode(file, PixelFormat::grayscale).pixels; };
  EXPECT_THAT(gray(bmp(2, 1, 8, 0, palette, std::string("\x03\x01\x00\x00", 4))), ElementsAre(22, 29));
  EXPECT_THAT(gray(bmp(3, 1, 4, 0, palette, std::string("\x13\x20\x00\x00", 4))), ElementsAre(29, 22, 150));
  EXPECT_THAT(gray(bmp(3, 1, 1, 0, palette, std::string("\x40\x00\x00\x00", 4))), ElementsAre(0, 29, 0));
  // Runs: 2 x 1, a jump, a literal stretch of 3, the end of the line and of the picture.
  const std::string runs("\x02\x01\x00\x02\x01\x00\x00\x03\x03\x02\x01\x00\x00\x00\x00\x01", 16);
  EXPECT_THAT(gray(bmp(6, 1, 8, 1, palette, runs)), ElementsAre(29, 29, 0, 22, 150, 29));
  EXPECT_THAT(gray(bmp(5, 1, 4, 2, palette, std::string("\x05\x13\x00\x01", 4))), ElementsAre(29, 22, 29, 22, 29));
  const std::string old = "BM" + little(0, 8) + little(32, 4) + little(12, 4) + little(1, 2) + little(1, 2) +
                          little(1, 2) + little(1, 2) + std::string("\x00\x00\x00\x03\x02\x01", 6) +
                          std::string("\x80\x00\x00\x00", 4);
  EXPECT_THAT(decode(old).pixels, ElementsAre(1, 2, 3));
}

TEST(DecodeImage, RefusesWhatIsNoPicture) {
  expect_refused("", ErrorCode::invalid_input, "no picture");
  expect_refused("hello", ErrorCode::invalid_input, "no picture");
  expect_refused("P6 2 2 255\nabc", ErrorCode::invalid_input, "ends early");
  expect_refused("P6 0 2 255\n", ErrorCode::invalid_input, "no pixels");
  expect_refused("P5 100000 100000 255\n", ErrorCode::limit, "100000 x 100000");
  expect_refused(bmp(1000, 1000, 24, 0, "", ""), ErrorCode::invalid_input, "ends early");
  expect_refused(bmp(100000, 100000, 24, 0, "", ""), ErrorCode::limit, "100000 x 100000");
  expect_refused(bmp(1, 1, 24, 5, "", "    "), ErrorCode::invalid_input, "compression 5");
}

// A damaged file is refused or gives some picture; nothing else may happen.
TEST(DecodeImage, SurvivesDamage) {
  int refused = 0;
  const auto attempt = [&](const std::vector<std::byte>& bytes) {
    try {
      const Image image = decode_image(bytes, PixelFormat::bgr);
      EXPECT_EQ(image.pixels.size(), static_cast<size_t>(image.height * image.width * 3));
    } catch (const Error&) {
      ++refused;
    }
  };
  for (const auto& entry : std::filesystem::directory_iterator(kSamples)) {
    const std::vector<std::byte> whole = read_file(entry.path());
    for (size_t length = 0; length < whole.size(); length += 7)
      attempt({whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length)});
    for (size_t at = 0; at < whole.size(); at += 1 + at / 50) {
      std::vector<std::byte> damaged = whole;
      damaged[at] ^= std::byte{0xff};
      attempt(damaged);
    }
  }
  EXPECT_GT(refused, 1000);
}

TEST(DecodeImage, RefusesTruncatedFiles) {
  for (const char* name : {"rgb.jpg", "rgb.png", "rgb.webp", "rgb.tif", "rgb.jp2"}) {
    std::vector<std::byte> bytes = read_file(kSamples / name);
    bytes.resize(bytes.size() / 2);
    EXPECT_THROW(decode_image(bytes, PixelFormat::rgb), Error) << name;
  }
}

TEST(ResizeImage, AveragesAndInterpolates) {
  const Image row{1, 4, 1, {0, 100, 200, 40}};
  // Twice as wide: centres at quarters and three quarters of the pixels.
  EXPECT_THAT(resize_bilinear(row, 1, 8).pixels, ElementsAre(0, 25, 75, 125, 175, 160, 80, 40));
  EXPECT_THAT(resize_bilinear(row, 3, 4).pixels, ElementsAre(0, 100, 200, 40, 0, 100, 200, 40, 0, 100, 200, 40));
  EXPECT_THAT(resize_bilinear(row, 1, 4).pixels, ElementsAreArray(row.pixels));
  // Half as wide: weights 3/8, 3/8 and 1/8 of the neighbours, those outside left out.
  EXPECT_THAT(resize_bilinear(row, 1, 2).pixels, ElementsAre(71, 117));
  const Image column{4, 1, 3, {0, 0, 0, 100, 10, 1, 200, 20, 2, 40, 4, 0}};
  EXPECT_THAT(resize_nearest(column, 2, 2).pixels, ElementsAre(100, 10, 1, 100, 10, 1, 40, 4, 0, 40, 4, 0));
}

}  // namespace
}  // namespace onnxrun
