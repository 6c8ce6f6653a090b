// PBM, PGM, PPM (plain and raw) and PAM: https://netpbm.sourceforge.net/doc/pnm.html.
#include <cstring>
#include <string>

#include "media/image_formats.h"

namespace onnxrun::image_formats {
namespace {

bool is_space(int c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

class Reader {
 public:
  explicit Reader(Bytes bytes, size_t position = 0) : bytes_(bytes), position_(position) {}

  int next() {
    if (position_ >= bytes_.size()) refuse("PNM", "the file ends early");
    return std::to_integer<int>(bytes_[position_++]);
  }

  // A number behind white space and comments, and the one character behind it.
  int64_t number() {
    int c = next();
    while (is_space(c) || c == '#') {
      if (c == '#') {
        while (c != '\n' && c != '\r') c = next();
      }
      c = next();
    }
    int64_t value = 0;
    if (c < '0' || c > '9') refuse("PNM", "a number is missing");
    for (; c >= '0' && c <= '9'; c = position_ < bytes_.size() ? next() : ' ') {
      value = value * 10 + (c - '0');
      if (value > kMaxPixels) refuse("PNM", "a number is too large");
    }
    if (!is_space(c)) refuse("PNM", "a number is followed by something else");
    return value;
  }

  // One digit of plain PBM, where they need not be apart.
  int bit() {
    int c = next();
    while (is_space(c)) c = next();
    if (c != '0' && c != '1') refuse("PNM", "a bit is neither 0 nor 1");
    return c - '0';
  }

  std::string line() {
    std::string text;
    for (int c = next(); c != '\n'; c = next()) text += static_cast<char>(c);
    return text;
  }

 private:
  Bytes bytes_;
  size_t position_;
};

struct Header {
  int64_t width = 0, height = 0, depth = 1, highest = 1;
};

// The lines of PAM.
Header read_lines(Reader& reader) {
  Header header;
  reader.line();
  for (std::string line = reader.line(); line != "ENDHDR"; line = reader.line()) {
    const size_t space = line.find_first_of(" \t");
    const std::string name = line.substr(0, space);
    int64_t* value = name == "WIDTH"    ? &header.width
                     : name == "HEIGHT" ? &header.height
                     : name == "DEPTH"  ? &header.depth
                     : name == "MAXVAL" ? &header.highest
                                        : nullptr;
    if (!value) continue;
    line += ' ';
    Reader number(std::as_bytes(std::span(line)), std::min(space, line.size() - 1));
    *value = number.number();
  }
  return header;
}

Header read_header(Reader& reader, char kind) {
  if (kind == '7') return read_lines(reader);
  Header header;
  header.width = reader.number();
  header.height = reader.number();
  if (kind != '1' && kind != '4') header.highest = reader.number();
  if (kind == '3' || kind == '6') header.depth = 3;
  return header;
}

}  // namespace

Image decode_pnm(Bytes bytes) {
  Reader reader(bytes, 2);
  const char kind = std::to_integer<char>(bytes[1]);
  const Header header = read_header(reader, kind);
  if (header.highest < 1 || header.highest > 65535) refuse("PNM", "the largest value is out of range");
  if (header.depth < 1 || header.depth > 4) refuse("PNM", "an unusual number of channels");
  const int64_t channels = header.depth < 3 ? 1 : 3;
  Image image = make_image(header.height, header.width, channels);
  uint8_t* dst = image.pixels.data();
  const auto sample = [&]() -> int64_t {
    if (kind <= '3') return reader.number();
    const int64_t high = reader.next();
    return header.highest > 255 ? high * 256 + reader.next() : high;
  };
  for (int64_t y = 0; y < image.height; ++y) {
    int bits = 0;
    for (int64_t x = 0; x < image.width; ++x) {
      if (kind == '1' || kind == '4') {
        if (kind == '4') bits = x % 8 == 0 ? reader.next() : bits << 1;
        const bool is_black = kind == '1' ? reader.bit() == 1 : (bits & 0x80) != 0;
        *dst++ = is_black ? 0 : 255;
        continue;
      }
      for (int64_t c = 0; c < header.depth; ++c) {
        const int64_t value = std::min(sample(), header.highest);
        if (c < channels) *dst++ = static_cast<uint8_t>((value * 255 + header.highest / 2) / header.highest);
      }
    }
  }
  return image;
}

}  // namespace onnxrun::image_formats
