#pragma once

#include <cstddef>
#include <cstdint>

namespace onnxrun {

// a * b and a + b in `result`; false where the true value does not fit. For sizes that come from outside.
template <class T>
[[nodiscard]] inline bool checked_mul(T a, T b, T& result) noexcept {
  return !__builtin_mul_overflow(a, b, &result);
}
template <class T>
[[nodiscard]] inline bool checked_add(T a, T b, T& result) noexcept {
  return !__builtin_add_overflow(a, b, &result);
}

inline constexpr size_t align_up(size_t value, size_t alignment) noexcept {
  return (value + alignment - 1) / alignment * alignment;
}

// a / b rounded up, for any a and positive b.
inline constexpr int64_t ceil_div(int64_t a, int64_t b) noexcept { return a / b + (a % b > 0 ? 1 : 0); }

}  // namespace onnxrun
