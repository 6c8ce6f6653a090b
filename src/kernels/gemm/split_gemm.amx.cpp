// The tile unit of AMX: Intel, "64 and IA-32 Architectures Software Developer's Manual", volume 2, LDTILECFG,
// TILELOADD, TILESTORED, TDPBF16PS. Written as assembly, for the intrinsics take no template argument as a register's
// number, and those of g++ 12 do not say that a load reads memory.
#include "kernels/gemm/split_gemm.h"

#include "kernels/gemm/split_gemm_kernel.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {
namespace {

struct TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfig) == 64);

struct AmxTiles {
  static ONNXRUN_INLINE void configure() noexcept {
    static constexpr TileConfig kConfig;
    __asm__ volatile("ldtilecfg %0" : : "m"(kConfig));
  }
  // Leaves no tile state for the operating system to save.
  static ONNXRUN_INLINE void release() noexcept { __asm__ volatile("tilerelease" : : : "memory"); }

  template <int kTile>
  static ONNXRUN_INLINE void zero() noexcept {
    __asm__ volatile("tilezero %%tmm%c0" : : "i"(kTile));
  }
  template <int kTile>
  static ONNXRUN_INLINE void load(const void* src, size_t row_bytes) noexcept {
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(src), "r"(row_bytes), "i"(kTile) : "memory");
  }
  template <int kTile>
  static ONNXRUN_INLINE void store(void* dst, size_t row_bytes) noexcept {
    __asm__ volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(dst), "r"(row_bytes), "i"(kTile) : "memory");
  }
  template <int kSum, int kA, int kB>
  static ONNXRUN_INLINE void multiply_add() noexcept {
    __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kA), "i"(kB));
  }
};

}  // namespace

extern const SplitGemmKernels kSplitGemmKernels;
const SplitGemmKernels kSplitGemmKernels = {SplitGemm<AmxTiles>::split, SplitGemm<AmxTiles>::run};

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
