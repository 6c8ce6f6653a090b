// How a family finds the table of the selected instruction set. In FAMILY.simd.cpp every instruction set defines
// `extern const Table kName` in its own namespace; in FAMILY.cpp:
//     ONNXRUN_DECLARE_TABLE(Table, kName)             // outside functions, in namespace onnxrun
//     return ONNXRUN_SELECT_TABLE(kName);             // the one for selected_isa()
#pragma once

#include "base/cpu_features.h"

#if defined(__x86_64__)

#define ONNXRUN_DECLARE_TABLE(Table, name) \
  namespace sse2 {                         \
  extern const Table name;                 \
  }                                        \
  namespace avx2 {                         \
  extern const Table name;                 \
  }                                        \
  namespace avx512 {                       \
  extern const Table name;                 \
  }
#define ONNXRUN_SELECT_TABLE(name) \
  (selected_isa() == Isa::sse2 ? sse2::name : selected_isa() == Isa::avx2 ? avx2::name : avx512::name)

#else

#define ONNXRUN_DECLARE_TABLE(Table, name) \
  namespace neon {                         \
  extern const Table name;                 \
  }
#define ONNXRUN_SELECT_TABLE(name) neon::name

#endif
