// BMP: https://learn.microsoft.com/en-us/windows/win32/gdi/bitmap-storage. Headers of 12 bytes (OS/2) and of 40 and
// more; 1, 4, 8, 16, 24 and 32 bits a pixel, bit fields, run lengths; either way up.
#include <algorithm>
#include <bit>
#include <cstdlib>
#include <vector>

#include "media/image_formats.h"

namespace onnxrun::image_formats {
namespace {

enum Compression : uint32_t { kPlain = 0, kRuns8 = 1, kRuns4 = 2, kBitFields = 3, kAlphaBitFields = 6 };

class Reader {
 public:
  explicit Reader(Bytes bytes) : bytes_(bytes) {}

  size_t size() const { return bytes_.size(); }
  uint8_t byte(size_t at) const {
    if (at >= bytes_.size()) refuse("BMP", "the file ends early");
    return std::to_integer<uint8_t>(bytes_[at]);
  }
  uint32_t word(size_t at, size_t count) const {
    uint32_t value = 0;
    for (size_t i = count; i-- > 0;) value = value << 8 | byte(at + i);
    return value;
  }

 private:
  Bytes bytes_;
};

struct Header {
  int64_t width = 0, height = 0;
  bool top_down = false;
  uint32_t bits = 0;
  uint32_t compression = kPlain;
  uint32_t masks[3] = {};  // of red, green and blue
  size_t palette = 0;      // where it begins
  size_t palette_step = 4;
  size_t colours = 0;
  size_t pixels = 0;
};

Header read_header(const Reader& file) {
  Header header;
  const uint32_t size = file.word(14, 4);
  const bool is_old = size == 12;
  if (!is_old && (size < 40 || size > 1024)) refuse("BMP", "a header that is not known");
  const auto height = static_cast<int32_t>(is_old ? file.word(20, 2) : file.word(22, 4));
  header.width = static_cast<int32_t>(is_old ? file.word(18, 2) : file.word(18, 4));
  header.height = std::abs(static_cast<int64_t>(height));
  header.top_down = height < 0;
  header.bits = file.word(is_old ? 24 : 28, 2);
  header.compression = is_old ? kPlain : file.word(30, 4);
  header.pixels = file.word(10, 4);
  header.palette = 14 + size;
  header.palette_step = is_old ? 3 : 4;
  if (header.bits <= 8) {
    const uint32_t given = is_old ? 0 : file.word(46, 4);
    header.colours = given == 0 || given > 256 ? size_t{1} << header.bits : given;
  }
  const bool has_fields = header.compression == kBitFields || header.compression == kAlphaBitFields;
  for (size_t c = 0; c < 3; ++c) {
    const uint32_t usual = header.bits == 16 ? 0x7c00U >> (5 * c) : 0xff0000U >> (8 * c);
    header.masks[c] = has_fields ? file.word(54 + 4 * c, 4) : usual;
  }
  return header;
}

std::vector<uint8_t> read_palette(const Reader& file, const Header& header) {
  std::vector<uint8_t> palette(3 * (size_t{1} << header.bits));
  for (size_t i = 0; i < std::min(header.colours, palette.size() / 3); ++i) {
    for (size_t c = 0; c < 3; ++c) palette[3 * i + c] = file.byte(header.palette + i * header.palette_step + 2 - c);
  }
  return palette;
}

// The bits of `mask`, scaled to 8.
uint8_t field(uint32_t value, uint32_t mask) {
  if (mask == 0) return 0;
  const int shift = std::countr_zero(mask);
  const uint64_t high = mask >> shift;
  return static_cast<uint8_t>(((value & mask) >> shift) * uint64_t{255} / high);
}

void read_plain(const Reader& file, const Header& header, Image& image) {
  const size_t stride = (static_cast<size_t>(header.width) * header.bits + 31) / 32 * 4;
  const std::vector<uint8_t> palette = header.bits <= 8 ? read_palette(file, header) : std::vector<uint8_t>();
  for (size_t y = 0; y < static_cast<size_t>(image.height); ++y) {
    const size_t row = header.pixels + (header.top_down ? y : static_cast<size_t>(image.height) - 1 - y) * stride;
    uint8_t* dst = image.pixels.data() + y * static_cast<size_t>(image.width) * 3;
    for (size_t x = 0; x < static_cast<size_t>(image.width); ++x, dst += 3) {
      if (header.bits <= 8) {
        const size_t bit = x * header.bits;
        const uint32_t shift = 8 - header.bits - bit % 8;
        const size_t index = file.byte(row + bit / 8) >> shift & ((1U << header.bits) - 1);
        std::copy_n(&palette[3 * index], 3, dst);
      } else {
        const uint32_t value = file.word(row + x * (header.bits / 8), header.bits / 8);
        for (size_t c = 0; c < 3; ++c) dst[c] = field(value, header.masks[c]);
      }
    }
  }
}

// Runs of one colour (or two alternating ones, with 4 bits), literal stretches, and jumps; what is jumped over has the
// first colour.
void read_runs(const Reader& file, const Header& header, Image& image) {
  const std::vector<uint8_t> palette = read_palette(file, header);
  const bool is_nibbles = header.bits == 4;
  int64_t x = 0;
  int64_t y = 0;
  const auto put = [&](size_t index) {
    if (x < image.width && y < image.height) {
      const int64_t row = header.top_down ? y : image.height - 1 - y;
      std::copy_n(&palette[3 * index], 3, &image.pixels[static_cast<size_t>(row * image.width + x) * 3]);
    }
    ++x;
  };
  for (size_t i = 0; i < static_cast<size_t>(image.width * image.height); ++i) {
    std::copy_n(palette.data(), 3, &image.pixels[3 * i]);
  }
  const auto nibble = [](uint8_t pair, size_t i) -> size_t { return i % 2 == 0 ? pair >> 4 : pair & 15; };
  for (size_t at = header.pixels; y < image.height;) {
    const uint8_t count = file.byte(at);
    const uint8_t value = file.byte(at + 1);
    at += 2;
    if (count > 0) {
      for (size_t i = 0; i < count; ++i) put(is_nibbles ? nibble(value, i) : value);
    } else if (value == 0) {
      x = 0;
      ++y;
    } else if (value == 1) {
      return;
    } else if (value == 2) {
      x += file.byte(at);
      y += file.byte(at + 1);
      at += 2;
    } else {
      for (size_t i = 0; i < value; ++i) {
        const uint8_t data = file.byte(at + (is_nibbles ? i / 2 : i));
        put(is_nibbles ? nibble(data, i) : data);
      }
      const size_t bytes = is_nibbles ? (value + 1U) / 2 : value;
      at += (bytes + 1) / 2 * 2;
    }
  }
}

}  // namespace

Image decode_bmp(Bytes bytes) {
  const Reader file(bytes);
  const Header header = read_header(file);
  Image image = make_image(header.height, header.width, 3);
  const uint32_t bits = header.bits;
  const uint32_t compression = header.compression;
  if ((compression == kRuns8 && bits == 8) || (compression == kRuns4 && bits == 4)) {
    read_runs(file, header, image);
  } else if ((compression == kPlain &&
              (bits == 1 || bits == 4 || bits == 8 || bits == 16 || bits == 24 || bits == 32)) ||
             ((compression == kBitFields || compression == kAlphaBitFields) && (bits == 16 || bits == 32))) {
    const uint64_t stride = (static_cast<uint64_t>(header.width) * bits + 31) / 32 * 4;
    if (header.pixels > file.size() || stride * static_cast<uint64_t>(header.height) > file.size() - header.pixels) {
      refuse("BMP", "the file ends early");
    }
    read_plain(file, header, image);
  } else {
    refuse("BMP", std::to_string(bits) + " bits with compression " + std::to_string(compression) + " are not known");
  }
  return image;
}

}  // namespace onnxrun::image_formats
