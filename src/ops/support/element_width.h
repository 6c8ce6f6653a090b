#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include "onnxrun/dtype.h"

namespace onnxrun::ops {

struct Bytes16 {
  uint64_t low;
  uint64_t high;
};

// Calls body.operator()<T>() with a type that moves elements of `dtype`: by their width alone, strings as themselves.
// \throws std::logic_error for packed types.
template <class Body>
void dispatch_width(DType dtype, Body&& body) {
  if (dtype == DType::string) return body.template operator()<std::string>();
  switch (bit_size(dtype)) {
    case 8:
      return body.template operator()<uint8_t>();
    case 16:
      return body.template operator()<uint16_t>();
    case 32:
      return body.template operator()<uint32_t>();
    case 64:
      return body.template operator()<uint64_t>();
    case 128:
      return body.template operator()<Bytes16>();
    default:
      throw std::logic_error("no whole bytes in elements of " + std::string(dtype_name(dtype)));
  }
}

}  // namespace onnxrun::ops
