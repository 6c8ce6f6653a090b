#include "kernels/int_gemm/int_gemm.h"

#include "kernels/dispatch.h"

namespace onnxrun {

ONNXRUN_DECLARE_TABLE(IntGemmKernels, kIntGemmKernels)

#if defined(__x86_64__)
namespace avx512 {
extern const IntGemmKernels kIntGemmVnniKernels;
}
#endif

const IntGemmKernels& int_gemm_kernels() {
#if defined(__x86_64__)
  if (selected_isa() >= Isa::avx512 && has_avx512_vnni()) return avx512::kIntGemmVnniKernels;
#endif
  return ONNXRUN_SELECT_TABLE(kIntGemmKernels);
}

}  // namespace onnxrun
