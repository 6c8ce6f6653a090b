// The tile unit of AMX in software, and the split product over it. One source file of a program may include this.
#pragma once

#if defined(__x86_64__)
#define ONNXRUN_SIMD_sse2 1
#else
#define ONNXRUN_SIMD_neon 1
#endif
#define ONNXRUN_SIMD_NAMESPACE emulated
#define xsimd xsimd_emulated
#include "kernels/gemm/split_gemm_kernel.h"
#undef xsimd

#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace onnxrun::testing {

// Intel, "64 and IA-32 Architectures Software Developer's Manual", volume 2, TDPBF16PS: for each element of the sum the
// products of even and those of odd k form two chains of fused multiply-adds that begin with zero; these are added,
// then the sum is. All to nearest even; subnormal numbers are zero, read and made.
class EmulatedTiles {
 public:
  static constexpr size_t kRows = 16, kRowBytes = 64;

  static void configure() {
    configured() = true;
    tiles() = {};
  }
  static void release() { configured() = false; }

  template <int kTile>
  static void zero() {
    tile(kTile) = {};
  }
  template <int kTile>
  static void load(const void* src, size_t row_bytes) {
    for (size_t r = 0; r < kRows; ++r) {
      std::memcpy(tile(kTile).data() + r * kRowBytes, static_cast<const std::byte*>(src) + r * row_bytes, kRowBytes);
    }
  }
  template <int kTile>
  static void store(void* dst, size_t row_bytes) {
    for (size_t r = 0; r < kRows; ++r) {
      std::memcpy(static_cast<std::byte*>(dst) + r * row_bytes, tile(kTile).data() + r * kRowBytes, kRowBytes);
    }
  }
  template <int kSum, int kA, int kB>
  static void multiply_add() {
    multiply_add(tile(kSum), tile(kA), tile(kB));
    ++multiply_adds();
  }

  // How many there have been, and how many uses of a unit that is not configured.
  static std::atomic<int64_t>& multiply_adds() {
    static std::atomic<int64_t> count{0};
    return count;
  }
  static std::atomic<int64_t>& misuses() {
    static std::atomic<int64_t> count{0};
    return count;
  }

 private:
  using Tile = std::array<std::byte, kRows * kRowBytes>;

  static bool& configured() {
    static thread_local bool is = false;
    return is;
  }
  static std::array<Tile, 8>& tiles() {
    static thread_local std::array<Tile, 8> all;
    return all;
  }
  static Tile& tile(size_t index) {
    if (!configured()) ++misuses();
    return tiles()[index];
  }

  static float flushed(float x) {
    return std::fabs(x) < std::numeric_limits<float>::min() ? std::copysign(0.0f, x) : x;
  }

  using Floats = std::array<std::array<float, 2 * kRows>, kRows>;

  static Floats floats_of(const Tile& tile) {
    Floats floats;
    for (size_t i = 0; i < 2 * kRows * kRows; ++i) {
      uint16_t upper;
      std::memcpy(&upper, tile.data() + i * sizeof upper, sizeof upper);
      const uint32_t bits = uint32_t{upper} << 16;
      float x;
      std::memcpy(&x, &bits, sizeof x);
      floats[i / (2 * kRows)][i % (2 * kRows)] = flushed(x);
    }
    return floats;
  }
  static float smallest(const Floats& floats) {
    float result = std::numeric_limits<float>::max();
    for (const auto& row : floats) {
      for (const float x : row) {
        if (std::fabs(x) < result && x != 0) result = std::fabs(x);
      }
    }
    return result;
  }

  static void multiply_add(Tile& sum, const Tile& a, const Tile& b) {
    const Floats left = floats_of(a), pairs = floats_of(b);
    Floats right;  // the even k of a row of b, then the odd ones
    for (size_t p = 0; p < kRows; ++p) {
      for (size_t j = 0; j < 2 * kRows; ++j) right[p][j % 2 * kRows + j / 2] = pairs[p][j];
    }
    // Products of 16 bits are exact and their sums normal unless they are tiny.
    const bool is_tiny = static_cast<double>(smallest(left)) * static_cast<double>(smallest(right)) < 0x1p-100;
    for (size_t i = 0; i < kRows; ++i) {
      float chains[2 * kRows] = {};
      for (size_t p = 0; p < kRows; ++p) {
        const float even = left[i][2 * p], odd = left[i][2 * p + 1];
        for (size_t j = 0; !is_tiny && j < kRows; ++j) {
          chains[j] += even * right[p][j];
          chains[kRows + j] += odd * right[p][kRows + j];
        }
        for (size_t j = 0; j < kRows && is_tiny; ++j) {
          chains[j] = flushed(std::fma(even, right[p][j], chains[j]));
          chains[kRows + j] = flushed(std::fma(odd, right[p][kRows + j], chains[kRows + j]));
        }
      }
      float row[kRows];
      std::memcpy(row, sum.data() + i * kRowBytes, kRowBytes);
      for (size_t j = 0; j < kRows; ++j) row[j] = flushed(flushed(row[j]) + flushed(chains[j] + chains[kRows + j]));
      std::memcpy(sum.data() + i * kRowBytes, row, kRowBytes);
    }
  }
};

inline const SplitGemmKernels kEmulatedSplitGemm = {emulated::SplitGemm<EmulatedTiles>::split,
                                                    emulated::SplitGemm<EmulatedTiles>::run};

}  // namespace onnxrun::testing
