// JPEG by libjpeg-turbo, whose defaults are the accurate transform and the smooth upsampling of chroma.
#include "media/image_formats.h"

#if ONNXRUN_WITH_JPEG

#include <jerror.h>
#include <jpeglib.h>

#include <csetjmp>
#include <cstdio>

namespace onnxrun::image_formats {
namespace {

constexpr int kMaxScans = 200;  // of progressive pictures: more is an attack

struct Failure {
  jpeg_error_mgr manager;  // first: libjpeg hands back a pointer to it
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

[[noreturn]] void fail(j_common_ptr info) {
  auto* failure = reinterpret_cast<Failure*>(info->err);
  info->err->format_message(info, failure->message);
  std::longjmp(failure->jump, 1);
}

// Warnings go on with made-up pixels; for those about missing data that is not decoding.
void warn(j_common_ptr info, int level) {
  const int code = info->err->msg_code;
  if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER)) fail(info);
}

void check_scans(j_common_ptr info) {
  if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMaxScans) return;
  std::snprintf(reinterpret_cast<Failure*>(info->err)->message, JMSG_LENGTH_MAX, "too many scans");
  std::longjmp(reinterpret_cast<Failure*>(info->err)->jump, 1);
}

// What jumps must not skip lives outside the functions that they leave.
struct Decoder {
  jpeg_decompress_struct info = {};
  Failure failure = {};
  jpeg_progress_mgr progress = {};

  Decoder() {
    info.err = jpeg_std_error(&failure.manager);
    failure.manager.error_exit = fail;
    failure.manager.emit_message = warn;
    failure.manager.output_message = [](j_common_ptr) {};
    progress.progress_monitor = check_scans;
  }
  ~Decoder() { jpeg_destroy_decompress(&info); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  bool begin(Bytes bytes) {
    if (setjmp(failure.jump) != 0) return false;
    jpeg_create_decompress(&info);
    info.progress = &progress;
    jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    jpeg_read_header(&info, TRUE);
    info.out_color_space = info.num_components == 1 ? JCS_GRAYSCALE : info.num_components == 4 ? JCS_CMYK : JCS_RGB;
    return true;
  }

  bool read(uint8_t* rows, size_t stride) {
    if (setjmp(failure.jump) != 0) return false;
    jpeg_start_decompress(&info);
    while (info.output_scanline < info.output_height) {
      JSAMPROW row = rows + info.output_scanline * stride;
      jpeg_read_scanlines(&info, &row, 1);
    }
    jpeg_finish_decompress(&info);
    return true;
  }
};

// Four inks, which Adobe writes inverted.
void to_rgb(Image& image, bool inverted) {
  const size_t count = image.pixels.size() / 4;
  for (size_t i = 0; i < count; ++i) {
    uint8_t ink[4];
    for (size_t c = 0; c < 4; ++c) ink[c] = inverted ? image.pixels[4 * i + c] : 255 - image.pixels[4 * i + c];
    for (size_t c = 0; c < 3; ++c) image.pixels[3 * i + c] = static_cast<uint8_t>((ink[c] * ink[3] + 127) / 255);
  }
  image.pixels.resize(3 * count);
  image.channels = 3;
}

}  // namespace

Image decode_jpeg(Bytes bytes) {
  Decoder decoder;
  if (!decoder.begin(bytes)) refuse("JPEG", decoder.failure.message);
  const int channels =
      decoder.info.num_components == 1 || decoder.info.num_components == 4 ? decoder.info.num_components : 3;
  Image image = make_image(decoder.info.image_height, decoder.info.image_width, channels);
  if (!decoder.read(image.pixels.data(), static_cast<size_t>(image.width * channels))) {
    refuse("JPEG", decoder.failure.message);
  }
  if (channels == 4) to_rgb(image, decoder.info.saw_Adobe_marker);
  return image;
}

}  // namespace onnxrun::image_formats

#endif
