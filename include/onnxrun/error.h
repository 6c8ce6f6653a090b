#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "onnxrun/export.h"

namespace onnxrun {

enum class ErrorCode {
  usage,                 // the caller's arguments
  invalid_model,         // what the standard does not define
  unsupported_operator,  // what the standard defines and this build lacks, or a foreign domain
  invalid_input,         // a wrong, missing or surplus input
  run_failed,            // found while running: an index out of range, ...
  limit,                 // memory, depth, deadline
  io,                    // a file that cannot be read or written
  cancelled,
};

// "invalid_model", ...
ONNXRUN_API std::string_view error_code_name(ErrorCode code);

// The one exception of this library. what() is one line that names the place.
class ONNXRUN_API Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace onnxrun
