#include "onnxrun/error.h"

namespace onnxrun {

std::string_view error_code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::usage:
      return "usage";
    case ErrorCode::invalid_model:
      return "invalid_model";
    case ErrorCode::unsupported_operator:
      return "unsupported_operator";
    case ErrorCode::invalid_input:
      return "invalid_input";
    case ErrorCode::run_failed:
      return "run_failed";
    case ErrorCode::limit:
      return "limit";
    case ErrorCode::io:
      return "io";
    case ErrorCode::cancelled:
      return "cancelled";
  }
  return "unknown";
}

}  // namespace onnxrun
