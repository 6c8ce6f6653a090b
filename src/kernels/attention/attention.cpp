#include "kernels/attention/attention.h"

#include "kernels/dispatch.h"

namespace onnxrun {

ONNXRUN_DECLARE_TABLE(AttentionKernels, kAttentionKernels)

const AttentionKernels& attention_kernels() { return ONNXRUN_SELECT_TABLE(kAttentionKernels); }

}  // namespace onnxrun
