// WebP by libwebp; no animations.
#include "media/image_formats.h"

#if ONNXRUN_WITH_WEBP

#include <webp/decode.h>

namespace onnxrun::image_formats {

Image decode_webp(Bytes bytes) {
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(data, bytes.size(), &features) != VP8_STATUS_OK) refuse("WebP", "no header");
  if (features.has_animation) refuse("WebP", "animations are not read");
  Image image = make_image(features.height, features.width, 3);
  if (!WebPDecodeRGBInto(data, bytes.size(), image.pixels.data(), image.pixels.size(), 3 * features.width)) {
    refuse("WebP", "the data are damaged");
  }
  return image;
}

}  // namespace onnxrun::image_formats

#endif
