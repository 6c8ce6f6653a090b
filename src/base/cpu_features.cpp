#include "base/cpu_features.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <optional>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace onnxrun {
namespace {

constexpr std::array<std::string_view, 5> kNames = {"sse2", "avx2", "avx512", "amx", "neon"};

#if defined(__x86_64__)

struct CpuId {
  uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};

CpuId cpuid(uint32_t leaf, uint32_t subleaf) {
  CpuId id;
  __get_cpuid_count(leaf, subleaf, &id.eax, &id.ebx, &id.ecx, &id.edx);
  return id;
}

constexpr bool has_bits(uint64_t value, uint64_t bits) { return (value & bits) == bits; }
constexpr uint32_t bit(int index) { return uint32_t{1} << index; }

// The register state that the operating system saves: Intel SDM volume 1, chapter 13.
uint64_t xcr0() {
  if (!has_bits(cpuid(1, 0).ecx, bit(27))) return 0;  // OSXSAVE
  uint32_t low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t{high} << 32) | low;
}

// Linux hands out the tile registers on request (arch_prctl, Documentation/arch/x86/xstate.rst).
bool request_tile_permission() {
  constexpr int kArchReqXcompPerm = 0x1023;
  constexpr int kXfeatureTileData = 18;
  return syscall(SYS_arch_prctl, kArchReqXcompPerm, kXfeatureTileData) == 0;
}

Isa detect() {
  const CpuId one = cpuid(1, 0);
  const CpuId seven = cpuid(7, 0);
  const uint64_t saved = xcr0();
  const bool avx2 = has_bits(saved, 0x6) && has_bits(one.ecx, bit(28) | bit(12) | bit(29)) &&  // AVX, FMA, F16C
                    has_bits(seven.ebx, bit(5) | bit(3) | bit(8));                             // AVX2, BMI1, BMI2
  if (!avx2) return Isa::sse2;
  const bool avx512 = has_bits(saved, 0xe6) && has_bits(seven.ebx, bit(16) | bit(17) | bit(28) | bit(30) | bit(31));
  if (!avx512) return Isa::avx2;
  const bool amx = has_bits(saved, uint64_t{3} << 17) && has_bits(seven.edx, bit(22) | bit(24));  // AMX-BF16, AMX-TILE
  return amx ? Isa::amx : Isa::avx512;
}

bool detect_vnni() { return has_bits(cpuid(7, 0).ecx, bit(11)); }

#else

bool request_tile_permission() { return false; }
bool detect_vnni() { return false; }
Isa detect() { return Isa::neon; }

#endif

std::atomic<Isa>& strongest() {
  static std::atomic<Isa> isa{detect()};
  return isa;
}

std::optional<Isa> isa_from_name(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Isa>(i);
  }
  return std::nullopt;
}

// Asks for the tile registers only where they would be used: the grant makes signal stacks larger.
Isa capped(Isa cap) {
  const Isa isa = isa_supported(cap) ? cap : strongest().load();
  if (isa != Isa::amx || request_tile_permission()) return isa;
  strongest() = Isa::avx512;
  return Isa::avx512;
}

std::atomic<Isa>& selection() {
  static std::atomic<Isa> isa = [] {
    const char* name = std::getenv("ONNXRUN_ISA");
    const std::optional<Isa> cap = name ? isa_from_name(name) : std::nullopt;
    return capped(cap.value_or(strongest()));
  }();
  return isa;
}

}  // namespace

std::string_view isa_name(Isa isa) { return kNames[static_cast<size_t>(isa)]; }

bool isa_supported(Isa isa) {
  if (strongest() == Isa::neon || isa == Isa::neon) return isa == strongest();
  return isa <= strongest();
}

Isa selected_isa() { return selection(); }

bool has_avx512_vnni() {
  static const bool kHas = detect_vnni();
  return kHas;
}

void withdraw_amx() {
  Isa amx = Isa::amx;
  strongest().compare_exchange_strong(amx, Isa::avx512);
  amx = Isa::amx;
  selection().compare_exchange_strong(amx, Isa::avx512);
}

void set_isa_cap_for_testing(Isa cap) { selection() = capped(cap); }

}  // namespace onnxrun
