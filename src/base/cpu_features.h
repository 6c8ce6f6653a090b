#pragma once

#include <string_view>

namespace onnxrun {

// The instruction sets that kernels are compiled for, weakest first; `amx` is avx512 with the tile matrix unit.
enum class Isa { sse2, avx2, avx512, amx, neon };

// "sse2", "avx2", ...
std::string_view isa_name(Isa isa);

// Whether this processor and operating system can run `isa`, by CPUID feature bits and XCR0 alone (model numbers lie
// under virtualisation). Thread-safe.
bool isa_supported(Isa isa);

// The instruction set that kernels use: the strongest supported one, capped by the environment variable ONNXRUN_ISA
// (sse2, avx2, avx512 or amx; read once; a name that is none of these is ignored). Where it is amx, the operating
// system has granted this process the tile registers. Thread-safe.
Isa selected_isa();

// Whether the processor has AVX512_VNNI, the instructions that multiply small integers and add to sums. Thread-safe.
bool has_avx512_vnni();

// Treats the processor as one without AMX from now on: its tile unit was found to be wrong. Kernels chosen before keep
// running. Thread-safe.
void withdraw_amx();

// Caps selected_isa() from now on, for tests that compare instruction sets inside one process; kernels chosen before
// keep running. Not thread-safe.
void set_isa_cap_for_testing(Isa cap);

}  // namespace onnxrun
