#include "media/utf8.h"

#include <gtest/gtest.h>

namespace onnxrun {
namespace {

TEST(Utf8, EveryCodePointReturns) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    const std::u32string text(1, c);
    const auto encoded = to_utf8(text);
    ASSERT_EQ(encoded.has_value(), c < 0xD800 || c > 0xDFFF) << static_cast<uint32_t>(c);
    if (encoded) {
      ASSERT_EQ(from_utf8(*encoded), text) << static_cast<uint32_t>(c);
    }
  }
}

TEST(Utf8, KnownEncodings) {
  EXPECT_EQ(to_utf8(U"aß漢😀"), "a\xC3\x9F\xE6\xBC\xA2\xF0\x9F\x98\x80");
  EXPECT_EQ(from_utf8("a\xC3\x9F\xE6\xBC\xA2\xF0\x9F\x98\x80"), U"aß漢😀");
}

TEST(Utf8, MalformedIsRefused) {
  for (const char* text : {"\x80", "\xC3", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                           "\xF8\x88\x80\x80\x80", "\xFF", "\xE6\xBC", "a\xC3(", "\xF0\x82\x82\xAC"}) {
    EXPECT_FALSE(from_utf8(text)) << text;
  }
}

}  // namespace
}  // namespace onnxrun
