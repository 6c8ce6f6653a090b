#include "kernels/conv/byte_blocks.h"

#include <algorithm>
#include <cstring>

namespace onnxrun {
namespace {

constexpr size_t kGroup = 4;  // channels
using Sixteen = uint8_t __attribute__((vector_size(16)));

Sixteen load(const uint8_t* src) {
  Sixteen x;
  std::memcpy(&x, src, sizeof x);
  return x;
}
void store(uint8_t* dst, const Sixteen& x) { std::memcpy(dst, &x, sizeof x); }

// dst[i * step + r] = planes[r][i].
void interleave(const uint8_t* const (&planes)[kGroup], size_t n, uint8_t* dst, size_t step) noexcept {
  size_t i = 0;
  for (; i + sizeof(Sixteen) <= n; i += sizeof(Sixteen)) {
    const Sixteen a = load(planes[0] + i), b = load(planes[1] + i), c = load(planes[2] + i), d = load(planes[3] + i);
    const auto low = [](const Sixteen& x, const Sixteen& y) {
      return __builtin_shufflevector(x, y, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    };
    const auto high = [](const Sixteen& x, const Sixteen& y) {
      return __builtin_shufflevector(x, y, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    };
    const auto low_pairs = [](const Sixteen& x, const Sixteen& y) {
      return __builtin_shufflevector(x, y, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23);
    };
    const auto high_pairs = [](const Sixteen& x, const Sixteen& y) {
      return __builtin_shufflevector(x, y, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31);
    };
    const Sixteen pairs[4] = {low(a, b), low(c, d), high(a, b), high(c, d)};
    uint8_t fours[4 * sizeof(Sixteen)];
    for (size_t half = 0; half < 2; ++half) {
      store(fours + 32 * half, low_pairs(pairs[2 * half], pairs[2 * half + 1]));
      store(fours + 32 * half + 16, high_pairs(pairs[2 * half], pairs[2 * half + 1]));
    }
    if (step == kGroup) {
      std::memcpy(dst + i * step, fours, sizeof fours);
    } else {
      for (size_t j = 0; j < sizeof(Sixteen); ++j) std::memcpy(dst + (i + j) * step, fours + kGroup * j, kGroup);
    }
  }
  for (; i < n; ++i) {
    for (size_t r = 0; r < kGroup; ++r) dst[i * step + r] = planes[r][i];
  }
}

}  // namespace

void block_bytes(const uint8_t* src, uint8_t* dst, size_t channels, size_t positions, size_t block, size_t begin,
                 size_t end) noexcept {
  const size_t blocks = (channels + block - 1) / block;
  for (size_t map = begin; map < end; ++map) {
    const uint8_t* image = src + map / blocks * channels * positions;
    for (size_t first = 0; first < block; first += kGroup) {
      const uint8_t* planes[kGroup];
      for (size_t r = 0; r < kGroup; ++r) {
        planes[r] = image + std::min(map % blocks * block + first + r, channels - 1) * positions;
      }
      interleave(planes, positions, dst + map * positions * block + first, block);
    }
  }
}

void unblock_bytes(const uint8_t* src, uint8_t* dst, size_t channels, size_t positions, size_t block, size_t begin,
                   size_t end) noexcept {
  constexpr size_t kAtOnce = 256;  // positions, that stay in the first level cache
  const size_t blocks = (channels + block - 1) / block;
  for (size_t map = begin; map < end; ++map) {
    const size_t first = map % blocks * block;
    const size_t count = std::min(block, channels - first);
    const uint8_t* from = src + map * positions * block;
    uint8_t* to = dst + (map / blocks * channels + first) * positions;
    for (size_t at = 0; at < positions; at += kAtOnce) {
      const size_t last = std::min(positions, at + kAtOnce);
      for (size_t c = 0; c < count; ++c) {
        for (size_t i = at; i < last; ++i) to[c * positions + i] = from[i * block + c];
      }
    }
  }
}

void max_of_bytes(const uint8_t* src, size_t src_step, size_t n, size_t lanes, uint8_t* dst) noexcept {
  for (size_t i = 0; i < n; ++i, src += src_step, dst += lanes) {
    size_t l = 0;
    for (; l + sizeof(Sixteen) <= lanes; l += sizeof(Sixteen)) {
      const Sixteen x = load(src + l), y = load(dst + l);
      store(dst + l, x > y ? x : y);
    }
    for (; l < lanes; ++l) dst[l] = std::max(dst[l], src[l]);
  }
}

}  // namespace onnxrun
