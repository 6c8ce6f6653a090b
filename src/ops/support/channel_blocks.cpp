#include "ops/support/channel_blocks.h"

#include <algorithm>

#include "kernels/channel_block.h"
#include "kernels/row/row.h"

namespace onnxrun::ops {

void scale_shift_map(const float* src, float* dst, int64_t positions, const float* scale, const float* shift,
                     std::span<const EpilogueStep> steps) {
  constexpr int64_t kVectors = 64;  // stay in the first level cache between the two passes
  const auto block = static_cast<int64_t>(channel_block());
  for (int64_t at = 0; at < positions; at += kVectors) {
    const auto count = static_cast<size_t>(std::min(kVectors, positions - at));
    row_kernels().scale_shift_blocks(src + at * block, dst + at * block, count, scale, shift);
    if (steps.empty()) continue;
    epilogue_row_f32()(dst + at * block, nullptr, count * channel_block(), steps.data(),
                       static_cast<int>(steps.size()));
  }
}

}  // namespace onnxrun::ops
