#include "kernels/conv/byte_depthwise.h"

#include <algorithm>
#include <cstring>

#include "base/cpu_features.h"
#include "kernels/channel_block.h"
#include "kernels/conv/conv_kernels.h"

namespace onnxrun {

#if defined(__x86_64__)
namespace avx512 {
extern const ByteDepthwiseKernel kByteDepthwiseKernel;
}
#endif

namespace {

using conv_detail::ceil_div;

constexpr size_t kQuad = 4;
constexpr size_t kRowsAtOnce = 4;  // of the kernels
constexpr size_t kScratchBytes = size_t{24} * 1024;

ByteDepthwiseKernel kernel() {
#if defined(__x86_64__)
  return avx512::kByteDepthwiseKernel;
#else
  return nullptr;
#endif
}

size_t block_bytes(const ByteDepthwisePlan& plan) {
  return plan.block * (sizeof(int32_t) + plan.shape.kernel[1] * plan.quads * kQuad);
}

}  // namespace

bool has_byte_depthwise(const ConvShape& s) {
  return byte_tile_kernels() && s.group == s.in_channels && s.group == s.out_channels && s.kernel[0] == 1 &&
         s.input[0] == 1 && s.pad_begin[0] == 0 && s.pad_end[0] == 0 && s.dilation[2] == 1;
}

ByteDepthwisePlan make_byte_depthwise_plan(const ConvShape& shape, uint8_t zero) {
  ByteDepthwisePlan plan;
  plan.shape = shape;
  plan.zero = zero;
  plan.block = channel_block();
  plan.blocks = ceil_div(shape.in_channels, plan.block);
  plan.quads = ceil_div(shape.kernel[2], kQuad);
  plan.packed_weight_bytes = plan.blocks * block_bytes(plan);
  plan.rows = conv_output_extent(shape, 1);
  plan.columns = conv_output_extent(shape, 2);
  if (plan.rows == 0 || plan.columns == 0) return plan;
  plan.padded_columns = (plan.columns - 1) * shape.stride[2] + plan.quads * kQuad;
  const size_t row_bytes = plan.padded_columns * plan.block;
  const size_t fitting = kScratchBytes / (row_bytes * shape.stride[1]);
  plan.row_tile = std::clamp(fitting / kRowsAtOnce * kRowsAtOnce, kRowsAtOnce, ceil_div(plan.rows, 4) * 4);
  plan.row_tiles = ceil_div(plan.rows, plan.row_tile);
  plan.tile_count = shape.batch * plan.blocks * plan.row_tiles;
  plan.scratch_bytes = conv_detail::reach(shape, 1, plan.row_tile) * row_bytes;
  return plan;
}

void pack_byte_depthwise_weights(const ByteDepthwisePlan& plan, const int8_t* weights, std::byte* dst, size_t begin,
                                 size_t end) {
  const size_t rows = plan.shape.kernel[1], columns = plan.shape.kernel[2];
  for (size_t index = begin; index < end; ++index) {
    std::byte* to = dst + index * block_bytes(plan);
    std::memset(to, 0, block_bytes(plan));
    auto* packed = reinterpret_cast<int8_t*>(to + plan.block * sizeof(int32_t));
    const size_t count = std::min(plan.block, plan.shape.in_channels - index * plan.block);
    for (size_t c = 0; c < count; ++c) {
      const int8_t* from = weights + (index * plan.block + c) * rows * columns;
      int32_t sum = 0;
      for (size_t row = 0; row < rows; ++row) {
        for (size_t column = 0; column < columns; ++column) {
          const int8_t weight = from[row * columns + column];
          packed[((row * plan.quads + column / kQuad) * plan.block + c) * kQuad + column % kQuad] = weight;
          sum += weight;
        }
      }
      const int32_t start = -sum * plan.zero;
      std::memcpy(to + c * sizeof start, &start, sizeof start);
    }
  }
}

void run_byte_depthwise(const ByteDepthwisePlan& plan, const ByteDepthwiseArgs& args, size_t tile,
                        void* scratch) noexcept {
  const ConvShape& s = plan.shape;
  const size_t map = tile / plan.row_tiles;
  const size_t first = tile % plan.row_tiles * plan.row_tile;
  const size_t rows = std::min(plan.row_tile, plan.rows - first);
  const size_t row_bytes = plan.padded_columns * plan.block;
  const uint8_t* src = args.src + map * s.input[1] * s.input[2] * plan.block;
  conv_detail::copy_padded(s, reinterpret_cast<const float*>(src), first, first + rows, plan.padded_columns,
                           plan.block / sizeof(float), plan.zero, static_cast<float*>(scratch));
  ByteDepthwiseTile part;
  part.src = static_cast<const uint8_t*>(scratch);
  part.row_bytes = row_bytes;
  part.weights = args.packed_weights + map % plan.blocks * block_bytes(plan);
  part.kernel_rows = s.kernel[1];
  part.row_dilation = s.dilation[1];
  part.quads = plan.quads;
  part.row_stride = s.stride[1];
  part.column_stride = s.stride[2];
  part.rows = rows;
  part.columns = plan.columns;
  part.dst_row_bytes = plan.columns * plan.block;
  part.dst = args.dst + (map * plan.rows + first) * part.dst_row_bytes;
  part.channel = map % plan.blocks * plan.block;
  part.end = &args.end;
  kernel()(part);
}

}  // namespace onnxrun
