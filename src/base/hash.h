#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace onnxrun {

struct Hash128 {
  uint64_t low = 0;
  uint64_t high = 0;
  bool operator==(const Hash128&) const = default;
  bool operator<(const Hash128& other) const noexcept { return low != other.low ? low < other.low : high < other.high; }
};

// A hash that tells contents apart, at the speed of memory; no protection against bytes made to collide. To hash
// several things, give each the hash of those before it as `seed`.
Hash128 hash_bytes(std::span<const std::byte> bytes, Hash128 seed = {}) noexcept;

inline Hash128 hash_text(std::string_view text, Hash128 seed = {}) noexcept {
  return hash_bytes(std::as_bytes(std::span(text)), seed);
}

}  // namespace onnxrun
