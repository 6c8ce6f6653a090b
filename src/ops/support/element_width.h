#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <type_traits>

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

// Copies elements [begin, begin + count) of `src`, which may lie at any address unless they are strings.
template <class T>
void copy_elements(const std::byte* src, int64_t begin, int64_t count, T* dst) {
  const std::byte* from = src + begin * static_cast<int64_t>(sizeof(T));
  if constexpr (std::is_trivially_copyable_v<T>) {
    std::memcpy(dst, from, static_cast<size_t>(count) * sizeof(T));
  } else {
    std::copy_n(reinterpret_cast<const T*>(from), count, dst);
  }
}

}  // namespace onnxrun::ops
