#pragma once

#include <cstddef>
#include <cstdint>

namespace onnxrun {

// Element `index` of packed elements of 2 or 4 bits; the first is in the lowest bits of its byte.
inline uint8_t get_packed(const uint8_t* data, int bits, int64_t index) noexcept {
  const int64_t bit = index * bits;
  return static_cast<uint8_t>((data[bit / 8] >> (bit % 8)) & ((1 << bits) - 1));
}

inline void put_packed(uint8_t* data, int bits, int64_t index, uint8_t value) noexcept {
  const int64_t bit = index * bits;
  const int mask = ((1 << bits) - 1) << (bit % 8);
  data[bit / 8] = static_cast<uint8_t>((data[bit / 8] & ~mask) | ((value << (bit % 8)) & mask));
}

}  // namespace onnxrun
