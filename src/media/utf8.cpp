#include "media/utf8.h"

#include <cstddef>

namespace onnxrun {
namespace {

bool is_scalar_value(char32_t c) { return c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF); }

// Marks of a lead byte, by the number of bytes.
constexpr unsigned kLeadMarks[] = {0, 0, 0xC0, 0xE0, 0xF0};

// Bytes that a code point takes.
size_t encoded_size(char32_t c) { return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4; }

}  // namespace

std::optional<std::u32string> from_utf8(std::string_view text) {
  std::u32string result;
  result.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const unsigned char lead = static_cast<unsigned char>(text[i]);
    const size_t size = lead < 0x80 ? 1 : lead < 0xC0 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF8 ? 4 : 0;
    if (size == 0 || size > text.size() - i) return std::nullopt;
    char32_t c = size == 1 ? lead : lead & (0x7Fu >> size);
    for (size_t k = 1; k < size; ++k) {
      const unsigned char next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xC0) != 0x80) return std::nullopt;
      c = c << 6 | (next & 0x3F);
    }
    if (!is_scalar_value(c) || encoded_size(c) != size) return std::nullopt;
    result.push_back(c);
    i += size;
  }
  return result;
}

std::optional<std::string> to_utf8(std::u32string_view text) {
  std::string result;
  result.reserve(text.size());
  for (const char32_t c : text) {
    if (!is_scalar_value(c)) return std::nullopt;
    const size_t size = encoded_size(c);
    if (size == 1) {
      result.push_back(static_cast<char>(c));
      continue;
    }
    result.push_back(static_cast<char>(kLeadMarks[size] | (c >> (6 * (size - 1)))));
    for (size_t k = size - 1; k-- > 0;) result.push_back(static_cast<char>(0x80 | (c >> (6 * k) & 0x3F)));
  }
  return result;
}

}  // namespace onnxrun
