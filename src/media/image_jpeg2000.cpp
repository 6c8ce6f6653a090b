// JPEG 2000 by OpenJPEG: files (JP2) and bare code streams; gray, RGB and YCC, with subsampled channels.
#include "media/image_formats.h"

#if ONNXRUN_WITH_JPEG2000

#include <openjpeg.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace onnxrun::image_formats {
namespace {

struct Source {
  Bytes bytes;
  size_t position = 0;
};

OPJ_SIZE_T read(void* dst, OPJ_SIZE_T count, void* data) {
  auto* source = static_cast<Source*>(data);
  const size_t n = std::min(count, source->bytes.size() - source->position);
  if (n == 0) return static_cast<OPJ_SIZE_T>(-1);
  std::memcpy(dst, source->bytes.data() + source->position, n);
  source->position += n;
  return n;
}

OPJ_BOOL seek(OPJ_OFF_T offset, void* data) {
  auto* source = static_cast<Source*>(data);
  if (offset < 0 || static_cast<size_t>(offset) > source->bytes.size()) return OPJ_FALSE;
  source->position = static_cast<size_t>(offset);
  return OPJ_TRUE;
}

OPJ_OFF_T skip(OPJ_OFF_T count, void* data) {
  auto* source = static_cast<Source*>(data);
  if (count < 0) return -1;
  const size_t n = std::min(static_cast<size_t>(count), source->bytes.size() - source->position);
  source->position += n;
  return static_cast<OPJ_OFF_T>(n);
}

using Codec = std::unique_ptr<opj_codec_t, decltype(&opj_destroy_codec)>;
using Stream = std::unique_ptr<opj_stream_t, decltype(&opj_stream_destroy)>;
using Picture = std::unique_ptr<opj_image_t, decltype(&opj_image_destroy)>;

Stream open(Source& source) {
  Stream stream(opj_stream_create(1 << 16, OPJ_TRUE), opj_stream_destroy);
  if (!stream) refuse("JPEG 2000", "out of memory");
  opj_stream_set_user_data(stream.get(), &source, nullptr);
  opj_stream_set_user_data_length(stream.get(), source.bytes.size());
  opj_stream_set_read_function(stream.get(), read);
  opj_stream_set_seek_function(stream.get(), seek);
  opj_stream_set_skip_function(stream.get(), skip);
  return stream;
}

// The sample of a channel at a pixel of the picture, in 8 bits.
uint8_t sample(const opj_image_comp_t& channel, int64_t y, int64_t x) {
  const int64_t row = std::min<int64_t>(y / channel.dy, channel.h - 1);
  const int64_t column = std::min<int64_t>(x / channel.dx, channel.w - 1);
  int64_t value = channel.data[row * channel.w + column];
  if (channel.sgnd) value += int64_t{1} << (channel.prec - 1);
  const int64_t high = (int64_t{1} << channel.prec) - 1;
  return static_cast<uint8_t>((std::clamp<int64_t>(value, 0, high) * 255 + high / 2) / high);
}

uint8_t rounded(double value) { return static_cast<uint8_t>(std::clamp(value + 0.5, 0.0, 255.0)); }

void ycc_to_rgb(uint8_t* pixel) {
  const double y = pixel[0];
  const double cb = pixel[1] - 128.0;
  const double cr = pixel[2] - 128.0;
  pixel[0] = rounded(y + 1.402 * cr);
  pixel[1] = rounded(y - 0.344136 * cb - 0.714136 * cr);
  pixel[2] = rounded(y + 1.772 * cb);
}

}  // namespace

Image decode_jpeg2000(Bytes bytes) {
  const bool is_bare = bytes.size() > 1 && bytes[0] == std::byte{0xff};
  const Codec codec(opj_create_decompress(is_bare ? OPJ_CODEC_J2K : OPJ_CODEC_JP2), opj_destroy_codec);
  opj_dparameters_t parameters;
  opj_set_default_decoder_parameters(&parameters);
  if (!codec || !opj_setup_decoder(codec.get(), &parameters)) refuse("JPEG 2000", "out of memory");
  Source source{bytes};
  const Stream stream = open(source);
  opj_image_t* header = nullptr;
  const bool has_header = opj_read_header(stream.get(), codec.get(), &header) != 0;
  const Picture picture(header, opj_image_destroy);
  if (!has_header || !picture || picture->x1 <= picture->x0 || picture->y1 <= picture->y0) {
    refuse("JPEG 2000", "no header");
  }
  const int64_t channels = picture->numcomps < 3 ? 1 : 3;
  Image image = make_image(static_cast<int64_t>(picture->y1) - picture->y0,
                           static_cast<int64_t>(picture->x1) - picture->x0, channels);
  if (!opj_decode(codec.get(), stream.get(), picture.get())) refuse("JPEG 2000", "the data are damaged");
  for (int64_t c = 0; c < channels; ++c) {
    const opj_image_comp_t& channel = picture->comps[c];
    if (!channel.data || channel.w < 1 || channel.h < 1 || channel.dx < 1 || channel.dy < 1 || channel.prec < 1 ||
        channel.prec > 32) {
      refuse("JPEG 2000", "a channel is missing");
    }
    uint8_t* dst = image.pixels.data() + c;
    for (int64_t y = 0; y < image.height; ++y) {
      for (int64_t x = 0; x < image.width; ++x, dst += channels) *dst = sample(channel, y, x);
    }
  }
  if (channels == 3 && picture->color_space == OPJ_CLRSPC_SYCC) {
    for (size_t i = 0; i < image.pixels.size(); i += 3) ycc_to_rgb(&image.pixels[i]);
  }
  return image;
}

}  // namespace onnxrun::image_formats

#endif
