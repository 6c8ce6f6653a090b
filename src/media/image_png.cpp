// PNG by libpng.
#include "media/image_formats.h"

#if ONNXRUN_WITH_PNG

#include <png.h>

#include <csetjmp>
#include <cstring>

namespace onnxrun::image_formats {
namespace {

constexpr png_alloc_size_t kMaxChunkBytes = size_t{64} << 20;

// What jumps must not skip lives outside the functions that they leave.
struct Decoder {
  Bytes rest;
  png_structp png = nullptr;
  png_infop info = nullptr;
  int passes = 1;
  char message[128] = "out of memory";

  explicit Decoder(Bytes bytes) : rest(bytes) {
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, fail, [](png_structp, png_const_charp) {});
    if (png) info = png_create_info_struct(png);
  }
  ~Decoder() { png_destroy_read_struct(&png, &info, nullptr); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  [[noreturn]] static void fail(png_structp png, png_const_charp message) {
    auto* self = static_cast<Decoder*>(png_get_error_ptr(png));
    std::strncpy(self->message, message, sizeof self->message - 1);
    png_longjmp(png, 1);
  }

  static void read(png_structp png, png_bytep dst, size_t count) {
    auto* self = static_cast<Decoder*>(png_get_io_ptr(png));
    if (count > self->rest.size()) png_error(png, "the file ends early");
    std::memcpy(dst, self->rest.data(), count);
    self->rest = self->rest.subspan(count);
  }

  // Reads the header and asks for 8 bits of gray or RGB.
  bool begin() {
    if (!png || !info || setjmp(png_jmpbuf(png)) != 0) return false;
    png_set_read_fn(png, this, read);
    png_set_user_limits(png, static_cast<png_uint_32>(kMaxPixels), static_cast<png_uint_32>(kMaxPixels));
    png_set_chunk_malloc_max(png, kMaxChunkBytes);
    png_read_info(png, info);
    png_set_expand(png);
    png_set_scale_16(png);
    png_set_strip_alpha(png);
    passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    return true;
  }

  bool read_rows(uint8_t* rows, size_t stride, png_uint_32 height) {
    if (setjmp(png_jmpbuf(png)) != 0) return false;
    for (int pass = 0; pass < passes; ++pass) {
      for (png_uint_32 y = 0; y < height; ++y) png_read_row(png, rows + y * stride, nullptr);
    }
    png_read_end(png, nullptr);
    return true;
  }
};

}  // namespace

Image decode_png(Bytes bytes) {
  Decoder decoder(bytes);
  if (!decoder.begin()) refuse("PNG", decoder.message);
  const png_uint_32 height = png_get_image_height(decoder.png, decoder.info);
  const int channels = png_get_channels(decoder.png, decoder.info);
  Image image = make_image(height, png_get_image_width(decoder.png, decoder.info), channels);
  const size_t stride = static_cast<size_t>(image.width * image.channels);
  if ((channels != 1 && channels != 3) || png_get_rowbytes(decoder.png, decoder.info) != stride) {
    refuse("PNG", "a form of pixels that is not known");
  }
  if (!decoder.read_rows(image.pixels.data(), stride, height)) refuse("PNG", decoder.message);
  return image;
}

}  // namespace onnxrun::image_formats

#endif
