#include "ops/support/channel_blocks.h"

#include <algorithm>
#include <utility>

#include "kernels/channel_block.h"
#include "kernels/row/row.h"

namespace onnxrun::ops {

void plan_maps(PlanContext& context, double nanoseconds_per_map, RunMap run) {
  const Shape& x = context.input(0).shape;
  const Shape& y = context.output(0).shape;
  const int64_t src_step = x.elements(2, x.rank());
  const int64_t dst_step = y.elements(2, y.rank());
  context.range(x[0] * x[1], nanoseconds_per_map,
                [=, run = std::move(run)](const TileContext& tile, int64_t begin, int64_t end) {
                  for (int64_t map = begin; map < end; ++map) {
                    run(tile, map, tile.input<float>(0) + map * src_step, tile.output<float>(0) + map * dst_step);
                  }
                });
}

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
