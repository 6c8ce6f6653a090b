#include "kernels/conv/blocked_grouped.h"

#include <algorithm>
#include <cstring>

#include "kernels/conv/conv_kernels.h"
#include "kernels/dispatch.h"
#include "kernels/tiling.h"

namespace onnxrun {

ONNXRUN_DECLARE_TABLE(BlockedGroupedKernels, kBlockedGroupedKernels)

namespace {

using conv_detail::ceil_div;
using conv_detail::copy_padded;
using conv_detail::reach;

// Maps are padded where they are narrow and more than one column of so many reads padding.
constexpr size_t kMaxPaddedColumns = 32;
constexpr size_t kPaddedShare = 5;

// The taps of output position `at` that read the input: [first, last).
struct TapRange {
  size_t first, last;
};
TapRange inside(const ConvShape& s, int axis, size_t at) {
  const size_t begin = at * s.stride[axis];
  const size_t first = begin >= s.pad_begin[axis] ? 0 : ceil_div(s.pad_begin[axis] - begin, s.dilation[axis]);
  const size_t end = s.pad_begin[axis] + s.input[axis];
  const size_t last = end > begin ? std::min(s.kernel[axis], ceil_div(end - begin, s.dilation[axis])) : 0;
  return {first, std::max(first, last)};
}

}  // namespace

void conv_detail::copy_padded(const ConvShape& s, const float* src, size_t row_begin, size_t row_end, size_t width,
                              size_t floats, uint8_t zero, float* dst) {
  const size_t first = row_begin * s.stride[1];
  const size_t left = std::min(s.pad_begin[2], width);
  const size_t columns = std::min(s.input[2], width - left);
  const size_t rows = reach(s, 1, row_end - row_begin);
  std::memset(dst, zero, rows * width * floats * sizeof(float));
  dst += left * floats;
  for (size_t row = first; row < first + rows; ++row, dst += width * floats) {
    const size_t y = row - s.pad_begin[1];  // wraps around before the input
    if (y < s.input[1]) std::copy_n(src + y * s.input[2] * floats, columns * floats, dst);
  }
}

bool has_narrow_groups(const ConvShape& s) {
  const size_t width = s.in_channels / s.group;
  return s.group > 1 && s.in_channels == s.out_channels && width > 0 && width < channel_block() &&
         channel_block() % width == 0 && s.input[0] == 1 && s.kernel[0] == 1 && s.pad_begin[0] + s.pad_end[0] == 0;
}

BlockedGroupedPlan make_blocked_grouped_plan(const ConvShape& shape) {
  BlockedGroupedPlan plan;
  plan.shape = shape;
  plan.kernels = &ONNXRUN_SELECT_TABLE(kBlockedGroupedKernels);
  plan.block = channel_block();
  plan.width = shape.in_channels / shape.group;
  for (int axis = 0; axis < 2; ++axis) plan.output[axis] = conv_output_extent(shape, axis + 1);
  const size_t blocks = ceil_div(shape.in_channels, plan.block);
  plan.packed_weight_bytes = blocks * shape.kernel[1] * shape.kernel[2] * plan.width * plan.block * sizeof(float);
  const size_t maps = shape.batch * blocks;
  if (maps == 0 || plan.output[0] == 0 || plan.output[1] == 0) return plan;

  for (int axis = 0; axis < 2; ++axis) {
    const auto whole = [&](size_t at) {
      const TapRange taps = inside(shape, axis + 1, at);
      return taps.first == 0 && taps.last == shape.kernel[axis + 1];
    };
    size_t at = 0;
    while (at < plan.output[axis] && !whole(at)) ++at;
    plan.inner_begin[axis] = at;
    while (at < plan.output[axis] && whole(at)) ++at;
    plan.inner_end[axis] = at;
  }
  if (plan.output[1] == 1)
    plan.inner_end[1] = plan.inner_begin[1] = 0;  // one column, downwards as those at the borders

  const double operations = static_cast<double>(maps * plan.block * plan.output[0] * plan.output[1]) *
                            static_cast<double>(shape.kernel[1] * shape.kernel[2] * plan.width);
  constexpr double kSlower = 4;  // a multiply-add, than in a product
  const size_t wanted = wanted_tiles(operations * kSlower);
  const size_t parts = std::clamp<size_t>(wanted / maps, 1, plan.output[0]);
  plan.row_tile = ceil_div(plan.output[0], parts);
  plan.row_tiles = ceil_div(plan.output[0], plan.row_tile);
  plan.tile_count = maps * plan.row_tiles;

  const size_t border_columns = plan.output[1] - (plan.inner_end[1] - plan.inner_begin[1]);
  plan.padded =
      plan.output[1] > 1 && plan.output[1] <= kMaxPaddedColumns && border_columns * kPaddedShare > plan.output[1];
  if (plan.padded) {
    plan.source_width = reach(shape, 2, plan.output[1]);
    plan.scratch_bytes = reach(shape, 1, plan.row_tile) * plan.source_width * plan.block * sizeof(float);
  }
  return plan;
}

void pack_blocked_grouped_weights(const BlockedGroupedPlan& plan, const float* weights, float* dst, size_t begin,
                                  size_t end) {
  const size_t b = plan.block;
  const size_t taps = plan.shape.kernel[1] * plan.shape.kernel[2];
  for (size_t block = begin; block < end; ++block) {
    for (size_t lane = 0; lane < b; ++lane) {
      const size_t channel = block * b + lane;
      const bool real = channel < plan.shape.in_channels;
      const float* from = weights + channel * plan.width * taps;
      for (size_t tap = 0; tap < taps; ++tap) {
        for (size_t c = 0; c < plan.width; ++c) {
          dst[((block * taps + tap) * plan.width + c) * b + lane] = real ? from[c * taps + tap] : 0.0f;
        }
      }
    }
  }
}

void run_blocked_grouped(const BlockedGroupedPlan& plan, const BlockedConvArgs& args, size_t tile,
                         void* scratch) noexcept {
  const ConvShape& s = plan.shape;
  const size_t b = plan.block;
  const size_t blocks = ceil_div(s.in_channels, b);
  const size_t map = tile / plan.row_tiles;
  const size_t block = map % blocks;
  const size_t row_begin = tile % plan.row_tiles * plan.row_tile;
  const size_t row_end = std::min(plan.output[0], row_begin + plan.row_tile);
  const float* src = args.src + map * s.input[1] * s.input[2] * b;
  const size_t map_floats = plan.output[0] * plan.output[1] * b;
  float* dst = args.dst + map * map_floats;
  const float* residual = args.epilogue.residual ? args.epilogue.residual + map * map_floats : nullptr;
  const float* weights = args.packed_weights + block * s.kernel[1] * s.kernel[2] * plan.width * b;
  const auto kernel = plan.width == 1 ? plan.kernels->depthwise_row : plan.kernels->grouped_row;

  const size_t source_width = plan.padded ? plan.source_width : s.input[2];
  const auto down_column = static_cast<ptrdiff_t>(s.stride[1] * source_width * b);
  BlockedGroupedRow row;
  row.src_step = static_cast<ptrdiff_t>(s.stride[2] * b);
  row.dst_step = static_cast<ptrdiff_t>(b);
  row.tap_row_step = static_cast<ptrdiff_t>(s.dilation[1] * source_width * b);
  row.tap_column_step = static_cast<ptrdiff_t>(s.dilation[2] * b);
  row.weight_columns = s.kernel[2];
  row.width = plan.width;
  row.bias = args.epilogue.bias ? args.epilogue.bias + block * b : nullptr;
  row.bias_count = s.out_channels - block * b;
  row.epilogue = blocked_tile_kernels().register_epilogue(args.epilogue.steps, args.epilogue.step_count);
  const auto write_from = [&](size_t y, size_t x) {
    const size_t at = (y * plan.output[1] + x) * b;
    row.dst = dst + at;
    row.residual = residual ? residual + at : nullptr;
  };
  if (plan.padded) {
    copy_padded(s, src, row_begin, row_end, plan.source_width, b, 0, static_cast<float*>(scratch));
    row.src = static_cast<const float*>(scratch);
    row.tap_rows = s.kernel[1];
    row.tap_columns = s.kernel[2];
    row.weights = weights;
    row.count = plan.output[1];
    for (size_t y = row_begin; y < row_end; ++y, row.src += down_column) {
      write_from(y, 0);
      kernel(row);
    }
  } else {
    const auto run = [&](size_t y, TapRange rows, size_t x, TapRange columns) {
      row.tap_rows = rows.last - rows.first;
      row.tap_columns = columns.last - columns.first;
      const size_t input_row = y * s.stride[1] + rows.first * s.dilation[1] - s.pad_begin[1];
      const size_t input_column = x * s.stride[2] + columns.first * s.dilation[2] - s.pad_begin[2];
      const bool reads = row.tap_rows * row.tap_columns > 0;
      row.src = reads ? src + (input_row * s.input[2] + input_column) * b : src;
      row.weights = weights + (rows.first * s.kernel[2] + columns.first) * plan.width * b;
      write_from(y, x);
      kernel(row);
    };
    const size_t inner_rows_begin = std::clamp(plan.inner_begin[0], row_begin, row_end);
    const size_t inner_rows_end = std::clamp(plan.inner_end[0], inner_rows_begin, row_end);
    const TapRange all_columns = {0, s.kernel[2]};
    row.count = plan.inner_end[1] - plan.inner_begin[1];
    for (size_t y = row_begin; row.count > 0 && y < row_end; ++y) {
      const bool whole = y >= inner_rows_begin && y < inner_rows_end;
      run(y, whole ? TapRange{0, s.kernel[1]} : inside(s, 1, y), plan.inner_begin[1], all_columns);
    }
    // The columns at the borders go downwards.
    row.src_step = down_column;
    row.dst_step = static_cast<ptrdiff_t>(plan.output[1] * b);
    const auto run_column = [&](size_t x) {
      const TapRange columns = inside(s, 2, x);
      for (size_t y = row_begin; y < row_end; y += row.count) {
        row.count = y == inner_rows_begin ? std::max<size_t>(1, inner_rows_end - inner_rows_begin) : 1;
        run(y, inside(s, 1, y), x, columns);
      }
    };
    for (size_t x = 0; x < plan.inner_begin[1]; ++x) run_column(x);
    for (size_t x = plan.inner_end[1]; x < plan.output[1]; ++x) run_column(x);
  }
  const int done = row.epilogue.steps;
  if (done == args.epilogue.step_count) return;
  const size_t at = row_begin * plan.output[1] * b;
  epilogue_row_f32()(dst + at, residual ? residual + at : nullptr, (row_end - row_begin) * plan.output[1] * b,
                     args.epilogue.steps + done, args.epilogue.step_count - done);
}

}  // namespace onnxrun
