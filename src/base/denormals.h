#pragma once

#if defined(__SSE__)
#include <xmmintrin.h>
#elif defined(__aarch64__)
#include <cstdint>
#endif

namespace onnxrun {

// Flushes subnormal numbers to zero on this thread, both read and made, while it lives: arithmetic on them can be a
// hundred times slower. Restores what was set before.
class FlushDenormals {
 public:
  explicit FlushDenormals(bool enabled) noexcept : enabled_(enabled) {
    if (enabled_) {
      before_ = get();
      set(before_ | kFlush);
    }
  }
  ~FlushDenormals() {
    if (enabled_) set(before_);
  }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
#if defined(__SSE__)
  using Word = unsigned;
  static constexpr Word kFlush = 0x8040;  // flush-to-zero and denormals-are-zero of MXCSR
  static Word get() noexcept { return _mm_getcsr(); }
  static void set(Word word) noexcept { _mm_setcsr(word); }
#elif defined(__aarch64__)
  using Word = uint64_t;
  static constexpr Word kFlush = Word{1} << 24;  // FZ of FPCR
  static Word get() noexcept {
    Word word = 0;
    __asm__ volatile("mrs %0, fpcr" : "=r"(word));
    return word;
  }
  static void set(Word word) noexcept { __asm__ volatile("msr fpcr, %0" : : "r"(word)); }
#endif

  bool enabled_;
  Word before_ = 0;
};

}  // namespace onnxrun
