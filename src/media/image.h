#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace onnxrun {

enum class PixelFormat : uint8_t { rgb, bgr, grayscale };

// Pixels row by row, their channels side by side: [height, width, channels].
struct Image {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;
  std::vector<uint8_t> pixels;
};

// Pictures with more pixels are refused before memory is taken for them.
inline constexpr int64_t kMaxPixels = int64_t{1} << 27;

// Decodes a picture, recognised by its first bytes: BMP, JPEG, JPEG 2000, PNG, PNM (P1 to P7), TIFF, WebP. Deeper
// samples are scaled to 8 bits, opacity is dropped; gray is 0.299 R + 0.587 G + 0.114 B, rounded. Of several pictures
// in a file the first is read. Colour profiles and gamma are left alone. Bytes may come from anywhere. \throws
// Error(invalid_input) for anything else, for damaged files, and for formats that this build leaves out; Error(limit)
// beyond kMaxPixels. Thread-safe.
Image decode_image(std::span<const std::byte> bytes, PixelFormat format);

// The picture at another size: each pixel is the mean over the pixels that it covers, weighted by a triangle as wide as
// the change of scale (bilinear where it grows).
Image resize_bilinear(const Image& image, int64_t height, int64_t width);
// Each pixel is the one that its centre lies in.
Image resize_nearest(const Image& image, int64_t height, int64_t width);

}  // namespace onnxrun
