#include "kernels/gemm/gemm.h"
#include "kernels/unary/unary_reference.h"

namespace onnxrun {

void gemm_reference(const GemmArgs& args, const float* b, ptrdiff_t b_row_stride, ptrdiff_t b_col_stride) {
  const Epilogue& epilogue = args.epilogue;
  for (ptrdiff_t i = 0; i < static_cast<ptrdiff_t>(args.m); ++i) {
    for (ptrdiff_t j = 0; j < static_cast<ptrdiff_t>(args.n); ++j) {
      double sum = 0;
      for (ptrdiff_t p = 0; p < static_cast<ptrdiff_t>(args.k); ++p) {
        sum += static_cast<double>(args.a[i * args.a_row_stride + p * args.a_col_stride]) *
               static_cast<double>(b[p * b_row_stride + j * b_col_stride]);
      }
      if (epilogue.bias) sum += static_cast<double>(epilogue.bias[j]);
      const float* residual = epilogue.residual ? epilogue.residual + i * epilogue.residual_row_stride + j : nullptr;
      args.c[i * args.c_row_stride + j] =
          static_cast<float>(epilogue_reference(sum, residual, epilogue.steps, epilogue.step_count));
    }
  }
}

}  // namespace onnxrun
