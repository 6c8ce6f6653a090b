#include "kernels/conv/conv.h"

#include <algorithm>
#include <utility>

#include "kernels/conv/conv_kernels.h"
#include "kernels/dispatch.h"
#include "kernels/tiling.h"

namespace onnxrun {

ONNXRUN_DECLARE_TABLE(ConvKernels, kConvKernels)
ONNXRUN_DECLARE_TABLE(ConvKernels, kDepthwiseKernels)

namespace {

using conv_detail::ceil_div;

constexpr size_t kPanelBytes = size_t{24} * 1024;    // of gathered input: stays in the first level cache
constexpr size_t kGatherBytes = size_t{192} * 1024;  // of all panels of a tile: stays in the second
constexpr size_t kMaxSharedBytes = size_t{8} << 20;
constexpr size_t kMinPanels = 3;  // of a tile, to share each weight that is read

size_t round_up(size_t value, size_t unit) { return ceil_div(value, unit) * unit; }

size_t taps(const ConvShape& shape) { return shape.kernel[0] * shape.kernel[1] * shape.kernel[2]; }

// The share of (output row, tap row) pairs along `axis` that read nothing but padding.
double zero_share(const ConvPlan& plan, int axis) {
  const ConvShape& s = plan.shape;
  size_t zeros = 0;
  for (size_t tap = 0; tap < s.kernel[axis]; ++tap) {
    for (size_t o = 0; o < plan.output[axis]; ++o) {
      const size_t at = o * s.stride[axis] + tap * s.dilation[axis];
      zeros += at < s.pad_begin[axis] || at >= s.pad_begin[axis] + s.input[axis];
    }
  }
  return static_cast<double>(zeros) / static_cast<double>(s.kernel[axis] * plan.output[axis]);
}

void plan_gemm(ConvPlan& plan, double operations) {
  const ConvShape& s = plan.shape;
  plan.kernels = &ONNXRUN_SELECT_TABLE(kConvKernels);
  const size_t mr = static_cast<size_t>(plan.kernels->mr);
  const size_t nr = static_cast<size_t>(plan.kernels->nr);
  const size_t group_in = s.in_channels / s.group;
  const size_t group_out = s.out_channels / s.group;
  const size_t k = group_in * taps(s);
  plan.weight_block_count = s.group * ceil_div(group_out, mr);
  plan.packed_weight_bytes = plan.weight_block_count * mr * k * sizeof(float);
  if (plan.positions == 0 || s.batch == 0 || s.out_channels == 0) return;

  const size_t stretches = std::max<size_t>(1, ceil_div(k * nr * sizeof(float), kPanelBytes));
  plan.k_block = std::max<size_t>(1, ceil_div(k, stretches));
  constexpr double kWorthSkipping = 0.1;
  constexpr size_t kEnoughChannels = 32;
  plan.skip_zero_taps =
      group_in >= kEnoughChannels && (zero_share(plan, 0) > kWorthSkipping || zero_share(plan, 1) > kWorthSkipping ||
                                      (s.dilation[2] >= nr && zero_share(plan, 2) > kWorthSkipping));

  const size_t images = s.batch * s.group;
  const size_t wanted = wanted_tiles(operations);
  const size_t panels = ceil_div(plan.positions, nr);
  const size_t most_panels = std::max<size_t>(1, kGatherBytes / (plan.k_block * nr * sizeof(float)));
  const size_t fewest_tiles = ceil_div(panels, most_panels);
  const size_t useful_tiles = std::min(ceil_div(wanted, images), std::max<size_t>(1, panels / kMinPanels));
  const size_t panel_tile = ceil_div(panels, std::max(fewest_tiles, useful_tiles));
  plan.position_tile = panel_tile * nr;
  plan.position_tiles = ceil_div(panels, panel_tile);

  // Too few tiles of positions: cut the channels, too, and gather once for all of them, if that stays within bounds.
  const size_t have = images * plan.position_tiles;
  const size_t blocks = ceil_div(group_out, mr);
  const size_t gathered_bytes = have * plan.position_tile * k * sizeof(float);
  const bool cut = 2 * have < wanted && gathered_bytes <= kMaxSharedBytes;
  plan.channel_tile = round_up(ceil_div(group_out, cut ? std::min(blocks, ceil_div(wanted, have)) : 1), mr);
  plan.channel_tiles = ceil_div(group_out, plan.channel_tile);
  plan.tile_count = have * plan.channel_tiles;
  if (plan.channel_tiles > 1) {
    plan.pack_tile_count = have;
    plan.shared_bytes = gathered_bytes;
  } else {
    plan.scratch_bytes = plan.position_tile * plan.k_block * sizeof(float);
  }
}

void plan_depthwise(ConvPlan& plan, double operations) {
  const ConvShape& s = plan.shape;
  plan.depthwise = true;
  plan.kernels = &ONNXRUN_SELECT_TABLE(kDepthwiseKernels);
  plan.weight_block_count = s.out_channels;
  plan.packed_weight_bytes = s.out_channels * taps(s) * sizeof(float);
  if (plan.positions == 0 || s.batch == 0 || s.out_channels == 0) return;

  constexpr double kSlower = 4;  // a multiply-add, than in a product
  const size_t wanted = wanted_tiles(operations * kSlower, false);
  const size_t planes = s.batch * s.in_channels;
  plan.channel_tile = std::max<size_t>(1, s.in_channels / ceil_div(wanted, s.batch));
  plan.channel_tiles = ceil_div(s.in_channels, plan.channel_tile);
  const size_t row_tiles = std::min(plan.output[1], std::max<size_t>(1, wanted / planes));
  plan.position_tile = ceil_div(plan.output[1], row_tiles);
  plan.position_tiles = ceil_div(plan.output[1], plan.position_tile);
  plan.tile_count = s.batch * plan.channel_tiles * plan.position_tiles;
  const DepthwiseRows rows = depthwise_rows(plan);
  plan.scratch_bytes = rows.row_length * rows.input_rows * sizeof(float);
}

}  // namespace

size_t conv_output_extent(const ConvShape& shape, int axis) {
  const size_t window = (shape.kernel[axis] - 1) * shape.dilation[axis] + 1;
  const size_t padded = shape.input[axis] + shape.pad_begin[axis] + shape.pad_end[axis];
  return padded < window ? 0 : (padded - window) / shape.stride[axis] + 1;
}

void merge_columns(ConvShape& shape) {
  constexpr size_t kShort = 12;  // columns, fewer than a tile takes
  for (int merged = 0; merged < 2; ++merged) {
    const size_t columns = shape.input[2];
    const bool has_one_tap = shape.kernel[2] == 1 && shape.pad_begin[2] == 0 && shape.pad_end[2] == 0;
    const bool steps = columns == 1 || (shape.stride[1] == 1 && shape.stride[2] == 1 && shape.kernel[1] > 1);
    if (!has_one_tap || !steps || columns == 0 || columns > kShort) return;
    for (size_t* values : {shape.input, shape.dilation, shape.pad_begin, shape.pad_end}) values[1] *= columns;
    const std::pair<size_t*, size_t> parts[] = {{shape.input, 1},    {shape.kernel, 1},    {shape.stride, 1},
                                                {shape.dilation, 1}, {shape.pad_begin, 0}, {shape.pad_end, 0}};
    for (const auto& [values, neutral] : parts) {
      std::copy_backward(values, values + 2, values + 3);
      values[0] = neutral;
    }
  }
}

bool turn_to_rows(ConvShape& shape) {
  if (conv_output_extent(shape, 2) != 1 || conv_output_extent(shape, 1) <= 1) return false;
  for (size_t* extents : {shape.input, shape.kernel, shape.stride, shape.dilation, shape.pad_begin, shape.pad_end}) {
    std::swap(extents[1], extents[2]);
  }
  return true;
}

DepthwiseRows depthwise_rows(const ConvPlan& plan) {
  constexpr size_t kRowBytes = size_t{16} * 1024;  // held at once: half of the first level cache
  const ConvShape& s = plan.shape;
  const size_t lanes = static_cast<size_t>(plan.kernels->lanes);
  DepthwiseRows rows;
  rows.phase_length =
      round_up(round_up(plan.output[2], lanes) + (s.kernel[2] - 1) * s.dilation[2] / s.stride[2], lanes);
  rows.row_length = rows.phase_length * s.stride[2];
  const size_t window = (s.kernel[1] - 1) * s.dilation[1] + 1;
  const size_t fitting = kRowBytes / (rows.row_length * sizeof(float));
  rows.block = fitting > window ? (fitting - window) / s.stride[1] + 1 : 1;
  rows.block = std::min(std::max(rows.block, std::min<size_t>(4, plan.position_tile)), plan.position_tile);
  rows.input_rows = (rows.block - 1) * s.stride[1] + window;
  return rows;
}

ConvPlan make_conv_plan(const ConvShape& shape) {
  ConvPlan plan;
  plan.shape = shape;
  plan.positions = 1;
  for (int axis = 0; axis < 3; ++axis) {
    plan.output[axis] = conv_output_extent(shape, axis);
    plan.positions *= plan.output[axis];
  }
  const size_t group_in = shape.group == 0 ? 0 : shape.in_channels / shape.group;
  const double operations = static_cast<double>(shape.batch * shape.out_channels) *
                            static_cast<double>(plan.positions) * static_cast<double>(group_in * taps(shape));
  const bool flat = shape.input[0] == 1 && shape.kernel[0] == 1 && plan.output[0] == 1 && shape.pad_begin[0] == 0;
  if (group_in == 1 && shape.group > 1 && flat) {
    plan_depthwise(plan, operations);
  } else {
    plan_gemm(plan, operations);
  }
  return plan;
}

void pack_conv_weights(const ConvPlan& plan, const float* weights, float* dst, size_t block_begin, size_t block_end) {
  const ConvShape& s = plan.shape;
  const size_t tap_count = taps(s);
  if (plan.depthwise) {
    std::copy(weights + block_begin * tap_count, weights + block_end * tap_count, dst + block_begin * tap_count);
    return;
  }
  const size_t mr = static_cast<size_t>(plan.kernels->mr);
  const size_t group_in = s.in_channels / s.group;
  const size_t group_out = s.out_channels / s.group;
  const size_t blocks_per_group = ceil_div(group_out, mr);
  const size_t k = group_in * tap_count;
  for (size_t block = block_begin; block < block_end; ++block) {
    const size_t group = block / blocks_per_group;
    const size_t first = block % blocks_per_group * mr;
    float* to = dst + block * mr * k;
    for (size_t r = 0; r < mr; ++r) {
      const float* from = weights + (group * group_out + first + r) * k;
      const bool real = first + r < group_out;
      for (size_t c = 0; c < group_in; ++c) {
        for (size_t tap = 0; tap < tap_count; ++tap) {
          to[(tap * group_in + c) * mr + r] = real ? from[c * tap_count + tap] : 0.0f;
        }
      }
    }
  }
}

void run_conv_pack_tile(const ConvPlan& plan, const ConvArgs& args, size_t tile, void* shared) noexcept {
  plan.kernels->pack_tile(plan, args, tile, static_cast<float*>(shared));
}

void run_conv_tile(const ConvPlan& plan, const ConvArgs& args, size_t tile, const void* shared,
                   void* scratch) noexcept {
  plan.kernels->run_tile(plan, args, tile, static_cast<const float*>(shared), static_cast<float*>(scratch));
}

}  // namespace onnxrun
