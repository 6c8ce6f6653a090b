#include "onnxrun/version.h"

namespace onnxrun {

std::string_view version() { return ONNXRUN_VERSION; }

}  // namespace onnxrun
