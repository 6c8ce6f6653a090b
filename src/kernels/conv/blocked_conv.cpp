#include "kernels/conv/blocked_conv.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <span>
#include <vector>

#include "kernels/conv/conv_kernels.h"
#include "kernels/dispatch.h"
#include "kernels/transpose/transpose.h"

namespace onnxrun {

ONNXRUN_DECLARE_TABLE(BlockedTileKernels, kBlockedTileKernels)

ONNXRUN_DECLARE_TABLE(DotTileKernels, kDotTileKernels)

const BlockedTileKernels& blocked_tile_kernels() { return ONNXRUN_SELECT_TABLE(kBlockedTileKernels); }

const DotTileKernels& dot_tile_kernels() { return ONNXRUN_SELECT_TABLE(kDotTileKernels); }

size_t channel_block() { return blocked_tile_kernels().block; }

namespace {

using conv_detail::ceil_div;

using Copy = BlockedConvPlan::Copy;
using Groups = std::vector<BlockedConvPlan::TileGroup>;

constexpr size_t kVectors = 2;                  // output blocks of a panel of blocked output
constexpr double kMinTileOperations = 1 << 19;  // multiply-adds: 5 to 20 microseconds
constexpr size_t kMaxTiles = 64;
constexpr size_t kSourceBytes =
    size_t{192} * 1024;  // that a tile reads again and again: stays in the second level cache
constexpr size_t kFewWeightBytes = size_t{256} * 1024;
constexpr size_t kMaxReads = 1024;     // floats of the source that a tile reads for each pixel: more are cut into
constexpr size_t kStretchReads = 512;  // stretches of at most so many
constexpr size_t kMaxSkippedTaps = 64;
constexpr size_t kPrefetchingTiles = 16;
constexpr size_t kMinCopiedFloats = size_t{16} * 1024;  // of a tile of the copy

size_t tap_count(const ConvShape& s) { return s.kernel[0] * s.kernel[1] * s.kernel[2]; }

bool is_padded(const ConvShape& s, const size_t (&output)[3]) {
  for (int axis = 0; axis < 3; ++axis) {
    const size_t reach = (output[axis] - 1) * s.stride[axis] + (s.kernel[axis] - 1) * s.dilation[axis] + 1;
    if (s.pad_begin[axis] > 0 || reach > s.input[axis]) return true;
  }
  return false;
}

bool padded_or_strided(const ConvShape& s, const size_t (&output)[3]) {
  return is_padded(s, output) || s.stride[2] > 1;
}

// Whether a tap reads the input, not its padding, for some of the outputs first to last along an axis.
bool reads_input(const ConvShape& s, int axis, size_t first, size_t last, size_t tap) {
  const size_t from = first * s.stride[axis] + tap * s.dilation[axis];
  const size_t to = last * s.stride[axis] + tap * s.dilation[axis];
  return to >= s.pad_begin[axis] && from < s.pad_begin[axis] + s.input[axis];
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
        plan.used_taps.push_back(((first[0] + d) * rows + first[1] + h) * columns + first[2] + w);
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
  const bool copies = !plan.exact && padded_or_strided(s, plan.output);
  plan.copy = copies ? Copy::shared : Copy::none;
  if (copies) {
    // Along an axis of one tap only what the outputs read is copied.
    const auto extent = [&](int axis) {
      return s.kernel[axis] == 1
                 ? plan.output[axis]
                 : (plan.output[axis] - 1) * s.stride[axis] + (s.kernel[axis] - 1) * s.dilation[axis] + 1;
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
  return static_cast<size_t>(plan.plain_output     ? dot_tile_kernels().pixels[plan.vectors - 1]
                             : plan.out_blocks > 1 ? plan.kernels->pixels
                                                   : plan.kernels->single_pixels);
}

// Rows that do not all lie side by side.
void plan_pixels(BlockedConvPlan& plan) {
  const ConvShape& s = plan.shape;
  const size_t most = most_pixels(plan);
  plan.row_length = plan.output[2];
  plan.row_count = plan.output[0] * plan.output[1];
  plan.groups = cut(plan.row_length, most);
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
    plan.skip_columns = s.dilation[2] * s.stride[2] >= most && (s.pad_begin[2] >= most || s.pad_end[2] >= most);
    if (plan.skip_columns) plan.groups = apart(plan.groups);
    if (s.stride[2] == 1) {
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
  const bool same_extents = padded_or_strided(s, plan.output) || (s.stride[0] == 1 && s.stride[1] == 1);
  plan.merged = one_row || (tap_count(s) == 1 && same_extents);
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
  const size_t reach = (pixels - 1) * s.stride[2] + (s.kernel[2] - 1) * s.dilation[2] + 1;
  const size_t columns = std::min(reach, s.kernel[2] * pixels);
  return s.kernel[0] * s.kernel[1] * columns * plan.src_blocks * plan.src_block / pixels;
}

void plan_tiles(BlockedConvPlan& plan) {
  const ConvShape& s = plan.shape;
  const auto positions = static_cast<double>(plan.output[0] * plan.output[1] * plan.output[2]);
  const double operations = static_cast<double>(s.batch * s.out_channels) * positions * static_cast<double>(plan.k);
  const size_t images = s.batch * s.group;
  const size_t wanted =
      ceil_div(static_cast<size_t>(std::clamp(operations / kMinTileOperations, 1.0, double{kMaxTiles})), images);
  const size_t weight_bytes = plan.packed_weight_bytes / s.group;
  const size_t row_bytes = plan.merged
                               ? plan.row_length * plan.src_blocks * plan.src_block * sizeof(float)
                               : plan.source.output_row * plan.source.row_floats * plan.src_blocks * sizeof(float);
  const size_t unit = plan.paired ? 2 : 1;
  const size_t units = ceil_div(plan.row_count, unit);
  const size_t reads = source_reads(plan);
  const bool cuts = !plan.plain_output && tile_count(plan.groups) * units > 2 && reads > kMaxReads;
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

// Rows of the source that `count` rows of the output read.
size_t source_rows(const BlockedConvPlan& plan, size_t count) {
  const ConvShape& s = plan.shape;
  return s.kernel[1] == 1 ? count : (count - 1) * s.stride[1] + (s.kernel[1] - 1) * s.dilation[1] + 1;
}

void plan_copy(BlockedConvPlan& plan) {
  if (plan.copy == Copy::none) return;
  const ConvShape& s = plan.shape;
  auto& source = plan.source;
  if (plan.panel_tiles == 1 && !plan.merged && plan.output[0] == 1 && s.kernel[0] == 1) {
    plan.copy = Copy::scratch;
    source.block_floats = source_rows(plan, std::min(plan.row_tile, plan.row_count)) * source.row_floats;
    plan.scratch_bytes = plan.src_blocks * source.block_floats * sizeof(float);
    return;
  }
  const size_t blocks = s.batch * s.group * plan.src_blocks;
  plan.shared_bytes = blocks * source.block_floats * sizeof(float);
  plan.pack_tile_count =
      std::clamp<size_t>(blocks * source.block_floats / kMinCopiedFloats, 1, std::min(blocks, kMaxTiles));
}

template <size_t kBlock>
void copy_blocks(const float* src, float* dst, size_t stride, size_t count) {
  for (size_t i = 0; i < count; ++i) std::memcpy(dst + i * kBlock, src + i * stride * kBlock, kBlock * sizeof(float));
}

// Every other float.
void copy_even(const float* src, float* dst, size_t count) {
  using Four = float __attribute__((vector_size(16)));
  size_t i = 0;
  for (; i + 4 < count; i += 4) {  // the last odd one may not be there
    Four low, high;
    std::memcpy(&low, src + 2 * i, sizeof low);
    std::memcpy(&high, src + 2 * i + 4, sizeof high);
    const Four even = __builtin_shufflevector(low, high, 0, 2, 4, 6);
    std::memcpy(dst + i, &even, sizeof even);
  }
  for (; i < count; ++i) dst[i] = src[2 * i];
}

// Copies `count` blocks that stand `stride` blocks apart.
void copy_strided(const float* src, float* dst, size_t block, size_t stride, size_t count) {
  if (stride == 1) {
    std::memcpy(dst, src, count * block * sizeof(float));
  } else if (stride == 2 && block == 1) {
    copy_even(src, dst, count);
  } else {
    const auto copy = block == 1   ? copy_blocks<1>
                      : block == 4 ? copy_blocks<4>
                      : block == 8 ? copy_blocks<8>
                                   : copy_blocks<16>;
    copy(src, dst, stride, count);
  }
}

// Copies source rows [begin, end) (across depth) of `blocks` blocks from the input.
void copy_rows(const BlockedConvPlan& plan, const float* src, size_t begin, size_t end, size_t blocks, float* dst) {
  const ConvShape& s = plan.shape;
  const auto& source = plan.source;
  const size_t b = plan.src_block;
  const size_t plane = s.input[0] * s.input[1] * s.input[2] * b;
  for (size_t block = 0; block < blocks; ++block) {
    float* to = dst + block * source.block_floats;
    for (size_t row = begin; row < end; ++row) {
      const size_t z = row / source.rows * source.depth_step - s.pad_begin[0];
      const size_t y = row % source.rows * source.row_step - s.pad_begin[1];
      if (z >= s.input[0] || y >= s.input[1]) {  // wrapped around where it is before the input
        std::memset(to, 0, source.row_floats * sizeof(float));
        to += source.row_floats;
        continue;
      }
      const float* from = src + block * plane + (z * s.input[1] + y) * s.input[2] * b;
      for (const size_t phase : source.phases) {
        // Columns [first, last) read the input.
        const size_t first = s.pad_begin[2] > phase ? ceil_div(s.pad_begin[2] - phase, s.stride[2]) : 0;
        const size_t inside = s.input[2] + s.pad_begin[2];
        const size_t last =
            std::min(source.columns, inside > phase ? ceil_div(inside - phase, s.stride[2]) : size_t{0});
        const size_t zeros = std::min(first, source.columns);
        std::memset(to, 0, zeros * b * sizeof(float));
        if (last > zeros) {
          const float* x = from + (zeros * s.stride[2] + phase - s.pad_begin[2]) * b;
          copy_strided(x, to + zeros * b, b, s.stride[2], last - zeros);
        }
        const size_t rest = std::max(last, zeros);
        std::memset(to + rest * b, 0, (source.columns - rest) * b * sizeof(float));
        to += source.columns * b;
      }
    }
  }
}

const float* group_input(const BlockedConvPlan& plan, const float* src, size_t image, size_t group) {
  const ConvShape& s = plan.shape;
  const size_t plane = s.input[0] * s.input[1] * s.input[2] * plan.src_block;
  const size_t blocks = ceil_div(s.in_channels, plan.src_block);
  return src + (image * blocks + group * plan.src_blocks) * plane;
}

// One tile of the output: rows [row_begin, row_end) and panels [panel_begin, panel_end) of a group of an image.
class TileRun {
 public:
  TileRun(const BlockedConvPlan& plan, const BlockedConvArgs& args, size_t image, size_t group) : plan_(plan) {
    const ConvShape& s = plan.shape;
    epilogue_ = args.epilogue;
    positions_ = plan.output[0] * plan.output[1] * plan.output[2];
    first_channel_ = group * (s.out_channels / s.group);
    const size_t out_blocks = ceil_div(s.out_channels, plan.block);
    const size_t first_block = image * out_blocks + group * plan.out_blocks;
    dst_ = args.dst + first_block * positions_ * plan.block;
    residual_ = epilogue_.residual ? epilogue_.residual + first_block * positions_ * plan.block : nullptr;
    weights_ = args.packed_weights + group * plan.out_blocks * plan.block * plan.k;
    tile_.src_block_step = static_cast<ptrdiff_t>(plan.source.block_floats);
    tile_.src_row_step = static_cast<ptrdiff_t>(plan.source.output_row * plan.source.row_floats);
    tile_.dst_row_step = static_cast<ptrdiff_t>(plan.row_length * plan.block);
    tile_.dst_vector_step = static_cast<ptrdiff_t>(positions_ * plan.block);
    if (!plan.plain_output) {
      tile_.epilogue = plan.kernels->register_epilogue(epilogue_.steps, epilogue_.step_count);
    }
  }

  // `src` is the source row that output row `row_begin` reads with its first tap.
  void run(const float* src, size_t row_begin, size_t row_end, size_t panel_begin, size_t panel_end) {
    const size_t tiles = tile_count(plan_.groups) * ceil_div(row_end - row_begin, plan_.paired ? 2 : 1);
    for (size_t panel = panel_begin; panel < panel_end; ++panel) {
      const size_t vectors = std::min(plan_.vectors, plan_.out_blocks - panel * plan_.vectors);
      begin_panel(panel, vectors);
      for (size_t block = 0; block < plan_.src_blocks; block += plan_.stretch) {
        begin_stretch(block, vectors, tiles);
        tile_.src_ahead = panel == panel_begin ? source_ahead() : tile_.src_block_step;
        const float* from = src + static_cast<ptrdiff_t>(block) * tile_.src_block_step;
        for (size_t row = row_begin; row < row_end;) {
          const size_t rows = plan_.paired && row + 1 < row_end ? 2 : 1;
          run_rows(from + (source_offset(row) - source_offset(row_begin)), row, rows, vectors);
          row += rows;
        }
      }
    }
  }

  ptrdiff_t source_offset(size_t row) const {
    const auto& source = plan_.source;
    if (plan_.merged) return static_cast<ptrdiff_t>(row * plan_.row_length * plan_.src_block);
    const size_t z = row / plan_.output[1];
    const size_t y = row % plan_.output[1];
    const size_t at = (z * source.output_depth * source.rows + y * source.output_row) * source.row_floats;
    return static_cast<ptrdiff_t>(at) - source.before;
  }

 private:
  void begin_panel(size_t panel, size_t vectors) {
    const ConvShape& s = plan_.shape;
    const size_t b = plan_.block;
    taps_ = plan_.taps[plan_.plain_output ? 0 : vectors - 1];
    tile_.weight_block_step = static_cast<ptrdiff_t>(taps_.size() * plan_.src_block * vectors * b);
    panel_weights_ = weights_ + panel * plan_.vectors * b * plan_.k;
    const size_t channel = panel * plan_.vectors * b;
    const size_t channels = s.out_channels / s.group;
    tile_.bias = epilogue_.bias ? epilogue_.bias + first_channel_ + channel : nullptr;
    tile_.bias_count = channels - channel;
    panel_dst_ = dst_ + panel * plan_.vectors * positions_ * b;
    panel_residual_ = residual_ ? residual_ + panel * plan_.vectors * positions_ * b : nullptr;
  }

  // Channel blocks of the source from `block` on.
  void begin_stretch(size_t block, size_t vectors, size_t tiles) {
    const ConvShape& s = plan_.shape;
    const size_t end = std::min(plan_.src_blocks, block + plan_.stretch);
    const bool last = end == plan_.src_blocks;
    tile_.channel_blocks = end - block;
    tile_.last_channels = last ? s.in_channels / s.group - (plan_.src_blocks - 1) * plan_.src_block : plan_.src_block;
    resumes_ = block > 0;
    tile_.unfinished = !last;
    tile_.weights = panel_weights_ + static_cast<ptrdiff_t>(block) * tile_.weight_block_step;
    const float* next = tile_.weights + static_cast<ptrdiff_t>(end - block) * tile_.weight_block_step;
    next_panel_ = reinterpret_cast<const char*>(next);
    stretch_k_ = static_cast<ptrdiff_t>((end - block) * plan_.src_block * taps_.size());
    tiles_left_ = tiles;
    tile_.prefetch = reinterpret_cast<const char*>(tile_.weights);
    tile_.prefetch_step = 0;
    const size_t row_bytes = vectors * plan_.block * sizeof(float);
    next_step_ = static_cast<ptrdiff_t>(ceil_div(row_bytes, std::min(tiles, kPrefetchingTiles)));
  }

  void run_rows(const float* src, size_t row, size_t rows, size_t vectors) {
    const size_t b = plan_.block;
    const size_t begin = row * plan_.row_length;
    const size_t length = plan_.merged ? std::min(plan_.row_length, positions_ - begin) : plan_.row_length;
    tile_.taps = taps_.data();
    tile_.taps_end = taps_.data() + taps_.size();
    if (plan_.skip_rows && !plan_.skip_columns) keep_taps(row, rows, 0, length);
    const auto* functions = plan_.plain_output     ? dot_tile_kernels().tiles[vectors - 1]
                            : plan_.src_block == 1 ? plan_.kernels->plain[vectors - 1]
                                                   : plan_.kernels->single[vectors - 1];
    const bool together = rows == 2 && vectors == 2;
    const auto& groups = row + 1 == plan_.row_count ? plan_.last_groups : plan_.groups;
    for (size_t r = 0; r < (together ? 1 : rows); ++r) {
      const float* from = src + static_cast<ptrdiff_t>(r) * tile_.src_row_step;
      size_t column = 0;
      for (const auto& [pixels, tiles] : groups) {
        if (plan_.skip_columns) keep_taps(row + r, together ? 2 : 1, column, pixels * tiles);
        const auto function = (together ? plan_.kernels->paired : functions)[pixels - 1];
        for (size_t done = 0; done < tiles; done += tile_.tiles, column += tile_.tiles * pixels) {
          tile_.tiles = begin_tiles(tiles - done);
          const size_t at = (begin + r * plan_.row_length + column) * b;
          tile_.src = from + column * plan_.src_block;
          tile_.dst = panel_dst_ + at;
          tile_.sums = resumes_ ? tile_.dst : nullptr;
          tile_.residual = panel_residual_ ? panel_residual_ + at : nullptr;
          function(tile_);
        }
      }
    }
    const int done = tile_.epilogue.steps;
    if (tile_.unfinished || done == epilogue_.step_count) return;
    const size_t floats = (plan_.merged ? length : rows * plan_.row_length) * b;
    for (size_t v = 0; v < vectors; ++v) {
      const size_t at = v * positions_ * b + begin * b;
      epilogue_row_(panel_dst_ + at, panel_residual_ ? panel_residual_ + at : nullptr, floats, epilogue_.steps + done,
                    epilogue_.step_count - done);
    }
  }

  // The first panel brings the source in: some tiles further, or the next rows.
  ptrdiff_t source_ahead() const {
    constexpr size_t kTiles = 2;
    const auto& source = plan_.source;
    return static_cast<ptrdiff_t>(plan_.merged ? kTiles * plan_.groups.front().pixels * plan_.src_block
                                               : source.output_row * source.row_floats * (plan_.paired ? 2 : 1));
  }

  // How many of so many tiles are next: the last ones of a panel bring in the next panel, evenly.
  size_t begin_tiles(size_t count) {
    const bool bring = tiles_left_ <= kPrefetchingTiles;
    if (!bring) count = std::min(count, tiles_left_ - kPrefetchingTiles);
    if (bring) {
      tile_.prefetch = next_panel_;
      tile_.prefetch_step = next_step_;
      next_panel_ += next_step_ * stretch_k_ * static_cast<ptrdiff_t>(count);
    }
    tiles_left_ -= count;
    return count;
  }

  // Keeps the taps that read the input for some of the pixels.
  void keep_taps(size_t row, size_t rows, size_t column, size_t pixels) {
    const ConvShape& s = plan_.shape;
    const size_t z = row / plan_.output[1];
    const size_t y = row % plan_.output[1];
    size_t kept = 0;
    for (size_t i = 0; i < taps_.size(); ++i) {
      const size_t tap_column = i % s.kernel[2];
      const size_t tap_row = i / s.kernel[2] % s.kernel[1];
      const size_t tap_depth = i / s.kernel[2] / s.kernel[1];
      if (!reads_input(s, 0, z, z, tap_depth) || !reads_input(s, 1, y, y + rows - 1, tap_row)) continue;
      if (plan_.skip_columns && !reads_input(s, 2, column, column + pixels - 1, tap_column)) continue;
      kept_[kept++] = taps_[i];
    }
    tile_.taps = kept_.data();
    tile_.taps_end = kept_.data() + kept;
  }

  const BlockedConvPlan& plan_;
  Epilogue epilogue_;
  EpilogueRowF32 epilogue_row_ = epilogue_row_f32();
  BlockedTile tile_;
  size_t positions_ = 0;
  size_t first_channel_ = 0;
  const float* weights_ = nullptr;
  float* dst_ = nullptr;
  const float* residual_ = nullptr;
  float* panel_dst_ = nullptr;
  const float* panel_residual_ = nullptr;
  const float* panel_weights_ = nullptr;
  std::span<const BlockedTap> taps_;
  ptrdiff_t stretch_k_ = 0;
  bool resumes_ = false;
  const char* next_panel_ = nullptr;
  ptrdiff_t next_step_ = 0;
  size_t tiles_left_ = 0;
  std::array<BlockedTap, kMaxSkippedTaps> kept_;
};

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

BlockedConvPlan make_blocked_conv_plan(const ConvShape& shape, bool plain_input, bool plain_output) {
  BlockedConvPlan plan;
  plan.shape = shape;
  plan.plain_input = plain_input;
  plan.plain_output = plain_output;
  plan.kernels = &blocked_tile_kernels();
  plan.block = plain_output ? 1 : plan.kernels->block;
  plan.src_block = plain_input ? 1 : plan.kernels->block;
  const size_t group_in = shape.in_channels / shape.group;
  plan.src_blocks = ceil_div(group_in, plan.src_block);
  plan.out_blocks = ceil_div(shape.out_channels / shape.group, plan.block);
  plan.vectors = plain_output ? plan.out_blocks : kVectors;
  plan.group_panels = plan.vectors == 0 ? 0 : ceil_div(plan.out_blocks, plan.vectors);
  plan.panel_count = shape.group * plan.group_panels;
  bool empty = shape.batch == 0 || plan.panel_count == 0;
  for (int axis = 0; axis < 3; ++axis) {
    plan.output[axis] = conv_output_extent(shape, axis);
    empty = empty || plan.output[axis] == 0;
  }
  plan_kernel(plan);
  plan.k = plan.src_blocks * plan.src_block * tap_count(plan.shape);
  plan.packed_weight_bytes = shape.group * plan.out_blocks * plan.block * plan.k * sizeof(float);
  if (empty) return plan;
  plan_rows(plan);
  plan_source(plan);
  plan_taps(plan);
  plan_tiles(plan);
  plan_copy(plan);
  return plan;
}

namespace {

// [output][channel][tap] becomes [channel block][tap][output][channel of the block], zeros behind the last channel.
void pack_dot_weights(const BlockedConvPlan& plan, const float* weights, float* dst) {
  const ConvShape& s = plan.shape;
  const size_t taps = plan.used_taps.size();
  std::fill_n(dst, plan.packed_weight_bytes / sizeof(float), 0.0F);
  for (size_t output = 0; output < s.out_channels; ++output) {
    for (size_t channel = 0; channel < s.in_channels; ++channel) {
      const float* from = weights + (output * s.in_channels + channel) * plan.kernel_taps;
      float* to = dst + channel / plan.src_block * taps * s.out_channels * plan.src_block + channel % plan.src_block;
      for (size_t tap = 0; tap < taps; ++tap) {
        to[(tap * s.out_channels + output) * plan.src_block] = from[plan.used_taps[tap]];
      }
    }
  }
}

}  // namespace

void pack_blocked_weights(const BlockedConvPlan& plan, const float* weights, float* dst, size_t begin, size_t end) {
  const ConvShape& s = plan.shape;
  const size_t b = plan.block;
  const size_t taps = plan.used_taps.size();
  const size_t group_in = s.in_channels / s.group;
  const size_t group_out = s.out_channels / s.group;
  if (plan.plain_output) {
    if (begin < end) pack_dot_weights(plan, weights, dst);
    return;
  }
  for (size_t index = begin; index < end; ++index) {
    const size_t group = index / plan.group_panels;
    const size_t panel = index % plan.group_panels;
    const size_t width = std::min(kVectors, plan.out_blocks - panel * kVectors) * b;
    const size_t channel = panel * kVectors * b;
    const size_t lanes = std::min(width, group_out - channel);
    const size_t source_k = group_in * plan.kernel_taps;
    const float* from = weights + (group * group_out + channel) * source_k;
    float* to = dst + (group * plan.out_blocks * b + channel) * plan.k;
    // [lane][channel of the block][tap] becomes [channel][tap][lane], then [used tap][channel][lane].
    std::vector<float> rows(plan.src_block * plan.kernel_taps * width);
    for (size_t first = 0; first < group_in; first += plan.src_block, to += plan.src_block * taps * width) {
      const size_t count = std::min(plan.src_block, group_in - first);
      transpose_f32()(from + first * plan.kernel_taps, static_cast<ptrdiff_t>(source_k), lanes,
                      count * plan.kernel_taps, rows.data(), static_cast<ptrdiff_t>(width));
      for (size_t tap = 0; tap < taps; ++tap) {
        for (size_t c = 0; c < count; ++c) {
          std::copy_n(&rows[(c * plan.kernel_taps + plan.used_taps[tap]) * width], width,
                      to + (tap * plan.src_block + c) * width);
        }
      }
    }
  }
}

void run_blocked_pack(const BlockedConvPlan& plan, const BlockedConvArgs& args, size_t tile, void* shared) noexcept {
  const ConvShape& s = plan.shape;
  const size_t blocks = s.batch * s.group * plan.src_blocks;
  const size_t begin = blocks * tile / plan.pack_tile_count;
  const size_t end = blocks * (tile + 1) / plan.pack_tile_count;
  const size_t plane = s.input[0] * s.input[1] * s.input[2] * plan.src_block;
  copy_rows(plan, args.src + begin * plane, 0, plan.source.depth * plan.source.rows, end - begin,
            static_cast<float*>(shared) + begin * plan.source.block_floats);
}

void run_blocked_conv(const BlockedConvPlan& plan, const BlockedConvArgs& args, size_t tile, const void* shared,
                      void* scratch) noexcept {
  const ConvShape& s = plan.shape;
  const size_t panel_begin = tile % plan.panel_tiles * plan.panel_tile;
  const size_t panel_end = std::min(plan.group_panels, panel_begin + plan.panel_tile);
  const size_t row_part = tile / plan.panel_tiles % plan.row_tiles;
  const size_t row_begin = row_part * plan.row_tile;
  const size_t row_end = std::min(plan.row_count, row_begin + plan.row_tile);
  const size_t group_index = tile / plan.panel_tiles / plan.row_tiles;
  const size_t image = group_index / s.group;
  const size_t group = group_index % s.group;
  TileRun run(plan, args, image, group);
  const float* src = nullptr;
  switch (plan.copy) {
    case Copy::none:
      src = group_input(plan, args.src, image, group) + run.source_offset(row_begin);
      break;
    case Copy::shared:
      src = static_cast<const float*>(shared) + group_index * plan.src_blocks * plan.source.block_floats +
            run.source_offset(row_begin);
      break;
    case Copy::scratch: {
      const size_t first = row_begin * plan.source.output_row;
      copy_rows(plan, group_input(plan, args.src, image, group), first, first + source_rows(plan, row_end - row_begin),
                plan.src_blocks, static_cast<float*>(scratch));
      src = static_cast<const float*>(scratch);
      break;
    }
  }
  run.run(src, row_begin, row_end, panel_begin, panel_end);
}

void block_channels(const float* src, float* dst, size_t channels, size_t positions, size_t begin,
                    size_t end) noexcept {
  const size_t b = channel_block();
  const size_t blocks = ceil_div(channels, b);
  for (size_t map = begin; map < end; ++map) {
    const size_t first = map % blocks * b;
    const size_t count = std::min(b, channels - first);
    const float* from = src + (map / blocks * channels + first) * positions;
    float* to = dst + map * positions * b;
    transpose_f32()(from, static_cast<ptrdiff_t>(positions), count, positions, to, static_cast<ptrdiff_t>(b));
    for (size_t i = 0; count < b && i < positions; ++i) std::fill(to + i * b + count, to + (i + 1) * b, 0.0F);
  }
}

void unblock_channels(const float* src, float* dst, size_t channels, size_t positions, size_t begin,
                      size_t end) noexcept {
  const size_t b = channel_block();
  const size_t blocks = ceil_div(channels, b);
  for (size_t map = begin; map < end; ++map) {
    const size_t first = map % blocks * b;
    const size_t count = std::min(b, channels - first);
    const float* from = src + map * positions * b;
    float* to = dst + (map / blocks * channels + first) * positions;
    transpose_f32()(from, static_cast<ptrdiff_t>(b), positions, count, to, static_cast<ptrdiff_t>(positions));
  }
}

}  // namespace onnxrun
