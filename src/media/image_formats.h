// The decoders behind decode_image. Each gives 1 (gray) or 3 (RGB) channels and throws as decode_image does.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "media/image.h"

namespace onnxrun::image_formats {

using Bytes = std::span<const std::byte>;

// Room for the pixels. \throws Error(invalid_input) without any, Error(limit) for too many.
Image make_image(int64_t height, int64_t width, int64_t channels);

// \throws Error(invalid_input) "FORMAT: why".
[[noreturn]] void refuse(const char* format, const std::string& why);

Image decode_bmp(Bytes bytes);
Image decode_jpeg(Bytes bytes);
Image decode_jpeg2000(Bytes bytes);
Image decode_png(Bytes bytes);
Image decode_pnm(Bytes bytes);
Image decode_tiff(Bytes bytes);
Image decode_webp(Bytes bytes);

}  // namespace onnxrun::image_formats
