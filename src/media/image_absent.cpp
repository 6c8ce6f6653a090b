// Stand-ins for the formats that the build leaves out.
#include "media/image_formats.h"

namespace onnxrun::image_formats {

#define ONNXRUN_WITHOUT(format, function) \
  Image function(Bytes /*bytes*/) { refuse(format, "this build does not read the format"); }

#if !ONNXRUN_WITH_JPEG
ONNXRUN_WITHOUT("JPEG", decode_jpeg)
#endif
#if !ONNXRUN_WITH_JPEG2000
ONNXRUN_WITHOUT("JPEG 2000", decode_jpeg2000)
#endif
#if !ONNXRUN_WITH_PNG
ONNXRUN_WITHOUT("PNG", decode_png)
#endif
#if !ONNXRUN_WITH_TIFF
ONNXRUN_WITHOUT("TIFF", decode_tiff)
#endif
#if !ONNXRUN_WITH_WEBP
ONNXRUN_WITHOUT("WebP", decode_webp)
#endif

}  // namespace onnxrun::image_formats
