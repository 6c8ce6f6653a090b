// Makes the plans of blocked_conv.cpp.
#include <algorithm>
#include <vector>

#include "kernels/conv/blocked_conv.h"
#include "kernels/conv/conv_kernels.h"

namespace onnxrun {
namespace {

using conv_detail::ceil_div;
using conv_detail::reach;
using conv_detail::reads_input;

using Copy = BlockedConvPlan::Copy;
using Groups = std::vector<BlockedConvPlan::TileGroup>;

constexpr size_t kVectors = BlockedConvPlan::kVectors;
constexpr size_t kMaxSkippedTaps = BlockedConvPlan::kMaxSkippedTaps;
constexpr size_t kMaxTiles = 64;
constexpr size_t kSourceBytes =
    size_t{192} * 1024;  // that a tile reads again and again: stays in the second level cache
constexpr size_t kFewWeightBytes = size_t{256} * 1024;
constexpr size_t kMaxReads = 1024;     // floats of the source that a tile reads for each pixel: more are cut into
constexpr size_t kStretchReads = 512;  // stretches of at most so many
constexpr size_t kMinCopiedFloats = size_t{16} * 1024;  // of a tile of the copy

size_t tap_count(const ConvShape& s) { return s.kernel[0] * s.kernel[1] * s.kernel[2]; }

bool is_padded(const ConvShape& s, const size_t (&output)[3]) {
  for (int axis = 0; axis < 3; ++axis) {
    if (s.pad_begin[axis] > 0 || reach(s, axis, output[axis]) > s.input[axis]) return true;
  }
  return false;
}

// Whether a tile of neighbouring outputs cannot read the input as it lies.
bool needs_copy(const BlockedConvPlan& plan) {
  const ConvShape& s = plan.shape;
  return is_padded(s, plan.output) || s.stride[2] > 1 || (plan.turned && s.input[1] > 1);
}

// Leaves out the outermost taps that never read the input.
void plan_kernel(BlockedConvPlan& plan) {
  ConvShape& s = plan.shape;
  const auto [depth, rows, columns] = s.kernel;
  plan.kernel_taps = depth * rows * columns;
  size_t first[3] = {0, 0, 0};
  for (int axis = 0; axis < 3; ++axis) {
    if (plan.output[axis] == 0) continue;
    const size_t last = plan.output[axis] - 1;
    while (s.kernel[axis] > 1 && s.pad_begin[axis] >= s.dilation[axis] && !reads_input(s, axis, 0, last, 0)) {
      s.pad_begin[axis] -= s.dilation[axis];
      --s.kernel[axis];
      ++first[axis];
    }
    while (s.kernel[axis] > 1 && s.pad_end[axis] >= s.dilation[axis] &&
           !reads_input(s, axis, 0, last, s.kernel[axis] - 1)) {
      s.pad_end[axis] -= s.dilation[axis];
      --s.kernel[axis];
    }
  }
  for (size_t d = 0; d < s.kernel[0]; ++d) {
    for (size_t h = 0; h < s.kernel[1]; ++h) {
      for (size_t w = 0; w < s.kernel[2]; ++w) {
        const size_t row = first[1] + h, column = first[2] + w;
        const size_t tap = plan.turned ? column * rows + row : row * columns + column;
        plan.used_taps.push_back((first[0] + d) * rows * columns + tap);
      }
    }
  }
}

// Nearly equal tiles of at most `most`.
Groups cut(size_t length, size_t most) {
  const size_t count = ceil_div(length, most);
  const size_t wider = length % count;
  Groups groups;
  if (wider > 0) groups.push_back({length / count + 1, wider});
  groups.push_back({length / count, count - wider});
  return groups;
}

// Cycles of a multiply-add of all pixels, with two vectors: by arithmetic, by loads, by latency.
double tile_cycles(size_t rows, size_t pixels) {
  const auto places = static_cast<double>(rows * pixels);
  return std::max({places, (places + 2) / 2, 4.0});
}

size_t tile_count(const Groups& groups) {
  size_t count = 0;
  for (const auto& group : groups) count += group.tiles;
  return count;
}

double row_cycles(const Groups& groups, size_t rows) {
  double sum = 0;
  for (const auto& [pixels, tiles] : groups) sum += static_cast<double>(tiles) * tile_cycles(rows, pixels);
  return sum;
}

// Tiles of a row of outputs, of stride 1, within which no tap enters or leaves the input; nor within a group of them.
Groups cut_at_padding(const ConvShape& s, size_t columns, size_t most) {
  std::vector<size_t> ends = {columns};
  for (size_t tap = 0; tap < s.kernel[2]; ++tap) {
    const size_t at = tap * s.dilation[2];
    for (const size_t edge : {s.pad_begin[2], s.pad_begin[2] + s.input[2]}) {
      if (edge > at && edge - at < columns) ends.push_back(edge - at);
    }
  }
  std::sort(ends.begin(), ends.end());
  Groups groups;
  size_t begin = 0;
  for (const size_t end : ends) {
    if (end == begin) continue;
    const Groups segment = cut(end - begin, most);
    groups.insert(groups.end(), segment.begin(), segment.end());
    begin = end;
  }
  return groups;
}

// Cycles of a row for each row of taps, those columns left out that a group reads nothing but padding with.
double row_cycles_inside(const ConvShape& s, const Groups& groups, size_t rows) {
  double sum = 0;
  size_t column = 0;
  for (const auto& [pixels, tiles] : groups) {
    const size_t end = column + pixels * tiles;
    for (size_t tap = 0; tap < s.kernel[2]; ++tap) {
      if (reads_input(s, 2, column, end - 1, tap)) sum += static_cast<double>(tiles) * tile_cycles(rows, pixels);
    }
    column = end;
  }
  return sum;
}

void plan_source(BlockedConvPlan& plan) {
  const ConvShape& s = plan.shape;
  auto& source = plan.source;
  const bool copies = !plan.exact && needs_copy(plan);
  plan.copy = copies ? Copy::shared : Copy::none;
  if (copies) {
    // Along an axis of one tap only what the outputs read is copied.
    const auto extent = [&](int axis) {
      return s.kernel[axis] == 1 ? plan.output[axis] : reach(s, axis, plan.output[axis]);
    };
    source.depth = extent(0);
    source.rows = extent(1);
    source.depth_step = s.kernel[0] == 1 ? s.stride[0] : 1;
    source.row_step = s.kernel[1] == 1 ? s.stride[1] : 1;
    source.output_depth = s.kernel[0] == 1 ? 1 : s.stride[0];
    source.output_row = s.kernel[1] == 1 ? 1 : s.stride[1];
    source.columns = plan.output[2] + (s.kernel[2] - 1) * s.dilation[2] / s.stride[2];
    for (size_t tap = 0; tap < s.kernel[2]; ++tap) {
      const size_t phase = tap * s.dilation[2] % s.stride[2];
      if (std::find(source.phases.begin(), source.phases.end(), phase) == source.phases.end()) {
        source.phases.push_back(phase);
      }
    }
  } else {
    source.depth = s.input[0];
    source.rows = s.input[1];
    source.columns = s.input[2];
    source.output_depth = s.stride[0];
    source.output_row = s.stride[1];
    source.phases = {0};
  }
  source.row_floats = source.phases.size() * source.columns * plan.src_block;
  source.block_floats = source.depth * source.rows * source.row_floats;
  if (plan.exact) {
    const size_t rows = s.pad_begin[0] * source.rows + s.pad_begin[1];
    source.before = static_cast<ptrdiff_t>(rows * source.row_floats + s.pad_begin[2] * plan.src_block);
  }
}

void plan_taps(BlockedConvPlan& plan) {
  const ConvShape& s = plan.shape;
  const auto& source = plan.source;
  for (size_t d = 0; d < s.kernel[0]; ++d) {
    for (size_t h = 0; h < s.kernel[1]; ++h) {
      for (size_t w = 0; w < s.kernel[2]; ++w) {
        const size_t at = w * s.dilation[2];
        const auto phase =
            std::find(source.phases.begin(), source.phases.end(), at % s.stride[2]) - source.phases.begin();
        const size_t row = d * s.dilation[0] * source.rows + h * s.dilation[1];
        const size_t column = static_cast<size_t>(phase) * source.columns + at / s.stride[2];
        const auto src = static_cast<ptrdiff_t>(row * source.row_floats + column * plan.src_block);
        for (size_t v = 1; v <= kVectors; ++v) {
          auto& taps = plan.taps[v - 1];
          const size_t width = plan.plain_output ? plan.vectors : v * plan.block;
          taps.push_back({src, static_cast<ptrdiff_t>(taps.size() * plan.src_block * width)});
        }
      }
    }
  }
}

// Each tile a group of its own, for taps to be left out of some.
Groups apart(const Groups& groups) {
  Groups single;
  for (const auto& [pixels, tiles] : groups) single.insert(single.end(), tiles, {pixels, 1});
  return single;
}

size_t most_pixels(const BlockedConvPlan& plan) {
  if (plan.is_byte) {
    const ByteTileKernels& kernels = *byte_tile_kernels();
    return static_cast<size_t>(plan.out_blocks > 1 ? kernels.pixels : kernels.single_pixels);
  }
  return static_cast<size_t>(plan.plain_output     ? dot_tile_kernels().pixels[plan.vectors - 1]
                             : plan.out_blocks > 1 ? plan.kernels->pixels
                                                   : plan.kernels->single_pixels);
}

bool has_pixel_lanes(const BlockedConvPlan& plan) {
  const ConvShape& s = plan.shape;
  const PixelTileKernels& kernels = pixel_tile_kernels();
  return !plan.is_byte && plan.plain_input && !plan.plain_output && s.group == 1 && s.stride[2] == 1 &&
         plan.output[2] >= kernels.lanes && s.out_channels <= kMaxPixelChannels &&
         kernels.rows[s.out_channels - 1] != nullptr;
}

// Rows that do not all lie side by side.
void plan_pixels(BlockedConvPlan& plan) {
  const ConvShape& s = plan.shape;
  const size_t most = most_pixels(plan);
  plan.row_length = plan.output[2];
  plan.row_count = plan.output[0] * plan.output[1];
  plan.groups = cut(plan.row_length, most);
  plan.last_groups = plan.groups;
  if (plan.is_byte) return;  // its padding counts
  const Groups pairs = cut(plan.row_length, static_cast<size_t>(plan.kernels->paired_pixels));
  if (!plan.plain_output && plan.out_blocks > 1 && plan.src_block > 1 && plan.output[0] == 1 && plan.row_count > 1 &&
      row_cycles(pairs, 2) < 2 * row_cycles(plan.groups, 1)) {
    plan.paired = true;
    plan.groups = pairs;
  }
  const size_t taps = tap_count(s);
  if (taps > 1 && taps <= kMaxSkippedTaps && is_padded(s, plan.output)) {
    const auto padded = [&](int axis) { return s.pad_begin[axis] > 0 || s.pad_end[axis] > 0; };
    plan.skip_rows = padded(0) || padded(1);
    plan.skip_columns =
        !plan.pixel_lanes && s.dilation[2] * s.stride[2] >= most && (s.pad_begin[2] >= most || s.pad_end[2] >= most);
    if (plan.skip_columns) plan.groups = apart(plan.groups);
    const bool lies_in_rows = s.stride[2] == 1 && (!plan.turned || s.input[1] == 1);
    if (lies_in_rows && !plan.pixel_lanes) {
      const Groups inside = cut_at_padding(s, plan.row_length, most);
      const size_t rows = plan.paired ? 2 : 1;
      const double cycles = plan.skip_columns ? row_cycles_inside(s, plan.groups, rows)
                                              : row_cycles(plan.groups, rows) * static_cast<double>(s.kernel[2]);
      if (static_cast<double>(rows) * row_cycles_inside(s, inside, 1) <= cycles) {
        plan.exact = plan.skip_rows = true;
        plan.skip_columns = padded(2);
        plan.paired = false;
        plan.groups = inside;
      }
    }
  }
  plan.last_groups = plan.groups;
}

// Rows that are stretches of all positions.
void plan_merged_rows(BlockedConvPlan& plan) {
  constexpr size_t kTilesOfRow = 8;
  const size_t most = most_pixels(plan);
  const size_t positions = plan.output[0] * plan.output[1] * plan.output[2];
  const size_t rows = ceil_div(positions, kTilesOfRow * most);
  plan.row_length = rows == 1 ? positions : ceil_div(ceil_div(positions, rows), most) * most;
  plan.row_count = ceil_div(positions, plan.row_length);
  plan.groups = cut(plan.row_length, most);
  plan.last_groups = cut(positions - (plan.row_count - 1) * plan.row_length, most);
}

// Before the source: tiles that read no padding need no copy.
void plan_rows(BlockedConvPlan& plan) {
  const ConvShape& s = plan.shape;
  const bool one_row = plan.output[0] == 1 && plan.output[1] == 1;
  // One tap: what is copied is copied to the output's extents.
  const bool same_extents = needs_copy(plan) || (s.stride[0] == 1 && s.stride[1] == 1);
  plan.pixel_lanes = has_pixel_lanes(plan);
  plan.merged = !plan.pixel_lanes && (one_row || (tap_count(s) == 1 && same_extents));
  if (plan.merged) {
    plan_merged_rows(plan);
  } else {
    plan_pixels(plan);
  }
}

// Floats of the source that a tile reads for each of its pixels.
size_t source_reads(const BlockedConvPlan& plan) {
  const ConvShape& s = plan.shape;
  const size_t pixels = plan.groups.front().pixels;
  const size_t columns = std::min(reach(s, 2, pixels), s.kernel[2] * pixels);
  return s.kernel[0] * s.kernel[1] * columns * plan.src_blocks * plan.src_block / pixels;
}

void plan_tiles(BlockedConvPlan& plan, bool one_thread) {
  const ConvShape& s = plan.shape;
  const auto positions = static_cast<double>(plan.output[0] * plan.output[1] * plan.output[2]);
  const double operations = static_cast<double>(s.batch * s.out_channels) * positions * static_cast<double>(plan.k);
  const size_t images = s.batch * s.group;
  const size_t wanted = ceil_div(wanted_tiles(operations, one_thread), images);
  const size_t weight_bytes = plan.packed_weight_bytes / s.group;
  const size_t row_bytes = plan.merged
                               ? plan.row_length * plan.src_blocks * plan.src_block * sizeof(float)
                               : plan.source.output_row * plan.source.row_floats * plan.src_blocks * sizeof(float);
  const size_t unit = plan.paired ? 2 : 1;
  const size_t units = ceil_div(plan.row_count, unit);
  const size_t reads = source_reads(plan);
  plan.tiles_of_row = tile_count(plan.groups);
  const bool cuts =
      !plan.is_byte && !plan.plain_output && !plan.pixel_lanes && plan.tiles_of_row * units > 2 && reads > kMaxReads;
  plan.stretch = cuts ? ceil_div(plan.src_blocks, ceil_div(reads, kStretchReads)) : plan.src_blocks;
  const size_t stretch_bytes = row_bytes / plan.src_blocks * plan.stretch;
  size_t parts = std::min(units, ceil_div(plan.row_count * stretch_bytes, kSourceBytes));
  if (weight_bytes <= kFewWeightBytes) parts = std::max(parts, std::min(units, wanted));
  plan.row_tile = ceil_div(units, parts) * unit;
  plan.row_tiles = ceil_div(plan.row_count, plan.row_tile);
  const size_t panel_parts = std::min(plan.group_panels, ceil_div(wanted, plan.row_tiles));
  plan.panel_tile = ceil_div(plan.group_panels, panel_parts);
  plan.panel_tiles = ceil_div(plan.group_panels, plan.panel_tile);
  plan.tile_count = images * plan.row_tiles * plan.panel_tiles;
}

void plan_copy(BlockedConvPlan& plan) {
  if (plan.copy == Copy::none) return;
  const ConvShape& s = plan.shape;
  auto& source = plan.source;
  if (plan.panel_tiles == 1 && !plan.merged && plan.output[0] == 1 && s.kernel[0] == 1) {
    plan.copy = Copy::scratch;
    source.block_floats = plan.source_rows(std::min(plan.row_tile, plan.row_count)) * source.row_floats;
    plan.scratch_bytes = plan.src_blocks * source.block_floats * sizeof(float);
    return;
  }
  const size_t blocks = s.batch * s.group * plan.src_blocks;
  plan.shared_bytes = blocks * source.block_floats * sizeof(float);
  plan.pack_tile_count =
      std::clamp<size_t>(blocks * source.block_floats / kMinCopiedFloats, 1, std::min(blocks, kMaxTiles));
}

}  // namespace

bool can_block_conv(const ConvShape& shape, bool plain_input) {
  const size_t block = channel_block();
  if (shape.group == 1) return true;
  const size_t group_in = shape.in_channels / shape.group;
  const size_t group_out = shape.out_channels / shape.group;
  return group_out % block == 0 && (plain_input || group_in % block == 0);
}

bool has_dot_tiles(size_t out_channels) {
  return out_channels >= 1 && out_channels <= kMaxDotOutputs && dot_tile_kernels().pixels[out_channels - 1] > 0;
}

namespace {

// What follows from the shape and the form of the operands.
void complete(BlockedConvPlan& plan, bool one_thread) {
  plan.turned = turn_to_rows(plan.shape);
  const ConvShape& shape = plan.shape;
  const size_t group_in = shape.in_channels / shape.group;
  plan.src_blocks = ceil_div(group_in, plan.src_block);
  plan.out_blocks = ceil_div(shape.out_channels / shape.group, plan.block);
  plan.vectors = plan.plain_output ? plan.out_blocks : kVectors;
  plan.group_panels = plan.vectors == 0 ? 0 : ceil_div(plan.out_blocks, plan.vectors);
  plan.panel_count = shape.group * plan.group_panels;
  bool empty = shape.batch == 0 || plan.panel_count == 0;
  for (int axis = 0; axis < 3; ++axis) {
    plan.output[axis] = conv_output_extent(shape, axis);
    empty = empty || plan.output[axis] == 0;
  }
  plan_kernel(plan);
  plan.k = plan.src_blocks * plan.src_block * tap_count(plan.shape);
  plan.packed_weight_bytes = shape.group * plan.out_blocks * plan.block * (plan.head + plan.k) * sizeof(float);
  if (empty) return;
  plan_rows(plan);
  plan_source(plan);
  plan_taps(plan);
  plan_tiles(plan, one_thread);
  plan_copy(plan);
}

}  // namespace

BlockedConvPlan make_blocked_conv_plan(const ConvShape& shape, bool plain_input, bool plain_output, bool one_thread) {
  BlockedConvPlan plan;
  plan.shape = shape;
  plan.plain_input = plain_input;
  plan.plain_output = plain_output;
  plan.kernels = &blocked_tile_kernels();
  plan.block = plain_output ? 1 : plan.kernels->block;
  plan.dst_block = plan.block;
  plan.src_block = plain_input ? 1 : plan.kernels->block;
  complete(plan, one_thread);
  return plan;
}

BlockedConvPlan make_byte_conv_plan(const ConvShape& shape, bool plain_input, bool to_floats, uint8_t zero,
                                    bool one_thread) {
  constexpr size_t kBytes = sizeof(float);
  BlockedConvPlan plan;
  plan.shape = shape;
  plan.shape.in_channels = shape.group * ceil_div(shape.in_channels / shape.group, kBytes);
  plan.is_byte = true;
  plan.to_floats = to_floats;
  plan.zero = zero;
  plan.plain_input = plain_input;
  plan.kernels = &blocked_tile_kernels();
  plan.block = plan.kernels->block;
  plan.dst_block = to_floats ? plan.block : plan.block / kBytes;
  plan.src_block = plain_input ? 1 : plan.block / kBytes;
  plan.head = 1;
  complete(plan, one_thread);
  return plan;
}

}  // namespace onnxrun
