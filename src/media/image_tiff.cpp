// TIFF by libtiff, any form that its RGBA interface reads: the first page, upright.
#include "media/image_formats.h"

#if ONNXRUN_WITH_TIFF

#include <tiffio.h>

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>

namespace onnxrun::image_formats {
namespace {

constexpr tmsize_t kMaxAllocation = tmsize_t{1} << 30;

struct Source {
  Bytes bytes;
  uint64_t position = 0;
  char message[200] = "not readable";
};

tmsize_t read(thandle_t handle, void* dst, tmsize_t count) {
  auto* source = static_cast<Source*>(handle);
  if (count <= 0 || source->position >= source->bytes.size()) return 0;
  const auto n = std::min<uint64_t>(static_cast<uint64_t>(count), source->bytes.size() - source->position);
  std::memcpy(dst, source->bytes.data() + source->position, n);
  source->position += n;
  return static_cast<tmsize_t>(n);
}

toff_t seek(thandle_t handle, toff_t offset, int whence) {
  auto* source = static_cast<Source*>(handle);
  const uint64_t base = whence == SEEK_CUR ? source->position : whence == SEEK_END ? source->bytes.size() : 0;
  return source->position = base + offset;
}

int keep_error(TIFF*, void* data, const char*, const char* format, va_list arguments) {
  auto* source = static_cast<Source*>(data);
  std::vsnprintf(source->message, sizeof source->message, format, arguments);
  return 1;
}
int ignore(TIFF*, void*, const char*, const char*, va_list) { return 1; }

using Tiff = std::unique_ptr<TIFF, decltype(&TIFFClose)>;

Tiff open(Source& source) {
  const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(TIFFOpenOptionsAlloc(),
                                                                                 TIFFOpenOptionsFree);
  if (!options) refuse("TIFF", "out of memory");
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), kMaxAllocation);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), keep_error, &source);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), ignore, nullptr);
  TIFF* tiff = TIFFClientOpenExt(
      "TIFF", "rm", &source, read, [](thandle_t, void*, tmsize_t) { return tmsize_t{0}; }, seek,
      [](thandle_t) { return 0; },
      [](thandle_t handle) -> toff_t { return static_cast<Source*>(handle)->bytes.size(); },
      [](thandle_t, void**, toff_t*) { return 0; }, [](thandle_t, void*, toff_t) {}, options.get());
  return {tiff, TIFFClose};
}

}  // namespace

Image decode_tiff(Bytes bytes) {
  Source source{bytes};
  const Tiff tiff = open(source);
  if (!tiff) refuse("TIFF", source.message);
  uint32_t width = 0;
  uint32_t height = 0;
  TIFFGetField(tiff.get(), TIFFTAG_IMAGEWIDTH, &width);
  TIFFGetField(tiff.get(), TIFFTAG_IMAGELENGTH, &height);
  Image image = make_image(height, width, 3);
  std::vector<uint32_t> raster(static_cast<size_t>(height) * width);
  if (!TIFFReadRGBAImageOriented(tiff.get(), width, height, raster.data(), ORIENTATION_TOPLEFT, 1)) {
    refuse("TIFF", source.message);
  }
  for (size_t i = 0; i < raster.size(); ++i) {
    image.pixels[3 * i] = static_cast<uint8_t>(TIFFGetR(raster[i]));
    image.pixels[3 * i + 1] = static_cast<uint8_t>(TIFFGetG(raster[i]));
    image.pixels[3 * i + 2] = static_cast<uint8_t>(TIFFGetB(raster[i]));
  }
  return image;
}

}  // namespace onnxrun::image_formats

#endif
