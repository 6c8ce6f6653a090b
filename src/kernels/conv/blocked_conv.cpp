#include "kernels/conv/blocked_conv.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <vector>

#include "kernels/conv/conv_kernels.h"
#include "kernels/dispatch.h"
#include "kernels/transpose/transpose.h"

namespace onnxrun {

ONNXRUN_DECLARE_TABLE(BlockedTileKernels, kBlockedTileKernels)

ONNXRUN_DECLARE_TABLE(DotTileKernels, kDotTileKernels)

ONNXRUN_DECLARE_TABLE(PixelTileKernels, kPixelTileKernels)

#if defined(__x86_64__)
namespace avx512 {
extern const ByteTileKernels kByteTileKernels;
}
#endif

const BlockedTileKernels& blocked_tile_kernels() { return ONNXRUN_SELECT_TABLE(kBlockedTileKernels); }

const DotTileKernels& dot_tile_kernels() { return ONNXRUN_SELECT_TABLE(kDotTileKernels); }

const PixelTileKernels& pixel_tile_kernels() { return ONNXRUN_SELECT_TABLE(kPixelTileKernels); }

const ByteTileKernels* byte_tile_kernels() {
#if defined(__x86_64__)
  if (selected_isa() >= Isa::avx512 && has_avx512_vnni()) return &avx512::kByteTileKernels;
#endif
  return nullptr;
}

size_t channel_block() { return blocked_tile_kernels().block; }

bool has_byte_convolutions() { return byte_tile_kernels() != nullptr; }

namespace {

using conv_detail::ceil_div;
using conv_detail::reads_input;

using Copy = BlockedConvPlan::Copy;

constexpr size_t kVectors = BlockedConvPlan::kVectors;
constexpr size_t kPrefetchingTiles = 16;

template <size_t kBlock>
void copy_blocks(const float* src, float* dst, size_t stride, size_t count) {
  for (size_t i = 0; i < count; ++i) std::memcpy(dst + i * kBlock, src + i * stride * kBlock, kBlock * sizeof(float));
}

// Copies `count` blocks that stand `stride` blocks apart.
void copy_strided(const float* src, float* dst, size_t block, size_t stride, size_t count) {
  if (stride == 1) {
    std::memcpy(dst, src, count * block * sizeof(float));
  } else {
    const auto copy = block == 1   ? copy_blocks<1>
                      : block == 4 ? copy_blocks<4>
                      : block == 8 ? copy_blocks<8>
                                   : copy_blocks<16>;
    copy(src, dst, stride, count);
  }
}

// The phases of a row of single channels, where every remainder of the stride is one: in one pass.
void split_row(const BlockedConvPlan& plan, const float* src, float* dst) {
  const ConvShape& s = plan.shape;
  const size_t stride = s.stride[2], columns = plan.source.columns;
  const size_t pad = s.pad_begin[2], inside = s.input[2] + pad;
  // For columns [first, last) all phases read the input.
  const size_t first = std::min(columns, ceil_div(pad, stride));
  const size_t last = std::max(first, std::min(columns, inside / stride));
  transpose_f32()(src + (first * stride - pad), static_cast<ptrdiff_t>(stride), last - first, stride, dst + first,
                  static_cast<ptrdiff_t>(columns));
  for (size_t phase = 0; phase < stride; ++phase, dst += columns) {
    const auto copy = [&](size_t from, size_t to) {
      for (size_t i = from; i < to; ++i) {
        const size_t x = i * stride + phase;
        dst[i] = x >= pad && x < inside ? src[x - pad] : 0.0f;
      }
    };
    copy(0, first);
    copy(last, columns);
  }
}

// Copies source rows [begin, end) of a turned plane of single channels whose rows and columns all have a place.
void copy_turned(const BlockedConvPlan& plan, const float* src, size_t begin, size_t end, size_t channels, float* dst) {
  const ConvShape& s = plan.shape;
  const auto& source = plan.source;
  // What lies inside the input.
  const size_t first = std::max(begin, s.pad_begin[1]);
  const size_t last = std::min(end, s.pad_begin[1] + s.input[1]);
  const size_t columns = std::min(s.input[2], source.columns - std::min(source.columns, s.pad_begin[2]));
  for (size_t channel = 0; channel < channels; ++channel, src += s.input[1] * s.input[2]) {
    float* to = dst + channel * source.block_floats;
    if (columns < source.columns || last < end || first > begin) std::fill_n(to, (end - begin) * source.columns, 0.0f);
    if (first >= last) continue;
    transpose_f32()(src + (first - s.pad_begin[1]), static_cast<ptrdiff_t>(s.input[1]), columns, last - first,
                    to + (first - begin) * source.columns + s.pad_begin[2], static_cast<ptrdiff_t>(source.columns));
  }
}

// Copies source rows [begin, end) (across depth) of `blocks` blocks from the input.
void copy_rows(const BlockedConvPlan& plan, const float* src, size_t begin, size_t end, size_t blocks, float* dst) {
  const ConvShape& s = plan.shape;
  const auto& source = plan.source;
  const size_t b = plan.src_block;
  if (plan.turned && b == 1 && !plan.is_byte && s.input[0] == 1 && source.depth == 1 && s.pad_begin[0] == 0 &&
      source.row_step == 1 && s.stride[2] == 1) {
    return copy_turned(plan, src, begin, end, blocks, dst);
  }
  const size_t slice = s.input[1] * s.input[2] * b;
  const size_t plane = s.input[0] * slice;
  const size_t row_step = plan.turned ? 1 : s.input[2], column_step = plan.turned ? s.input[1] : 1;
  const bool splits = b == 1 && !plan.is_byte && !plan.turned && s.stride[2] > 1 &&
                      std::ranges::is_sorted(source.phases) && source.phases.size() == s.stride[2];
  for (size_t block = 0; block < blocks; ++block) {
    float* to = dst + block * source.block_floats;
    for (size_t row = begin; row < end; ++row) {
      const size_t z = row / source.rows * source.depth_step - s.pad_begin[0];
      const size_t y = row % source.rows * source.row_step - s.pad_begin[1];
      if (z >= s.input[0] || y >= s.input[1]) {  // wrapped around where it is before the input
        std::memset(to, plan.zero, source.row_floats * sizeof(float));
        to += source.row_floats;
        continue;
      }
      const float* from = src + block * plane + z * slice + y * row_step * b;
      if (splits) {
        split_row(plan, from, to);
        to += source.row_floats;
        continue;
      }
      for (const size_t phase : source.phases) {
        // Columns [first, last) read the input.
        const size_t first = s.pad_begin[2] > phase ? ceil_div(s.pad_begin[2] - phase, s.stride[2]) : 0;
        const size_t inside = s.input[2] + s.pad_begin[2];
        const size_t last =
            std::min(source.columns, inside > phase ? ceil_div(inside - phase, s.stride[2]) : size_t{0});
        const size_t zeros = std::min(first, source.columns);
        std::memset(to, plan.zero, zeros * b * sizeof(float));
        if (last > zeros) {
          const float* x = from + (zeros * s.stride[2] + phase - s.pad_begin[2]) * column_step * b;
          copy_strided(x, to + zeros * b, b, s.stride[2] * column_step, last - zeros);
        }
        const size_t rest = std::max(last, zeros);
        std::memset(to + rest * b, plan.zero, (source.columns - rest) * b * sizeof(float));
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
    dst_ = args.dst + first_block * positions_ * plan.dst_block;
    residual_ = epilogue_.residual ? epilogue_.residual + first_block * positions_ * plan.dst_block : nullptr;
    weights_ = args.packed_weights + group * plan.out_blocks * plan.block * (plan.head + plan.k);
    tile_.end = &args.end;
    tile_.src_block_step = static_cast<ptrdiff_t>(plan.source.block_floats);
    tile_.src_row_step = static_cast<ptrdiff_t>(plan.source.output_row * plan.source.row_floats);
    tile_.dst_row_step = static_cast<ptrdiff_t>(plan.row_length * plan.dst_block);
    tile_.dst_vector_step = static_cast<ptrdiff_t>(positions_ * plan.dst_block);
    if (!plan.is_byte && !plan.plain_output && !plan.pixel_lanes) {
      tile_.epilogue = plan.kernels->register_epilogue(epilogue_.steps, epilogue_.step_count);
    }
  }

  // `src` is the source row that output row `row_begin` reads with its first tap.
  void run(const float* src, size_t row_begin, size_t row_end, size_t panel_begin, size_t panel_end) {
    const size_t tiles = plan_.tiles_of_row * ceil_div(row_end - row_begin, plan_.paired ? 2 : 1);
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
    panel_weights_ = weights_ + panel * plan_.vectors * b * (plan_.head + plan_.k) + plan_.head * vectors * b;
    const size_t channel = panel * plan_.vectors * b;
    tile_.channel = first_channel_ + channel;
    const size_t channels = s.out_channels / s.group;
    tile_.bias = epilogue_.bias ? epilogue_.bias + first_channel_ + channel : nullptr;
    tile_.bias_count = channels - channel;
    const size_t maps = panel * plan_.vectors * positions_ * plan_.dst_block;
    panel_dst_ = dst_ + maps;
    panel_residual_ = residual_ ? residual_ + maps : nullptr;
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
    const size_t b = plan_.dst_block;
    const size_t begin = row * plan_.row_length;
    const size_t length = plan_.merged ? std::min(plan_.row_length, positions_ - begin) : plan_.row_length;
    tile_.taps = taps_.data();
    tile_.taps_end = taps_.data() + taps_.size();
    if (plan_.skip_rows && !plan_.skip_columns) keep_tap_rows(row, rows, length);
    if (plan_.pixel_lanes) return run_pixels(src, row);
    const auto* functions = plan_.is_byte ? byte_tile_kernels()->tiles[plan_.plain_input][plan_.to_floats][vectors - 1]
                            : plan_.plain_output   ? dot_tile_kernels().tiles[vectors - 1]
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
    if (!tile_.unfinished) finish(begin * b, (plan_.merged ? length : rows * plan_.row_length) * b, vectors);
  }

  // A row whose lanes are outputs.
  void run_pixels(const float* src, size_t row) {
    const size_t begin = row * plan_.row_length * plan_.block;
    tile_.src = src;
    tile_.dst = panel_dst_ + begin;
    pixel_tile_kernels().rows[plan_.shape.out_channels - 1](tile_, plan_.row_length);
    finish(begin, plan_.row_length * plan_.block, 1);
  }

  // The steps that no tile does.
  void finish(size_t begin, size_t floats, size_t vectors) {
    const int done = tile_.epilogue.steps;
    if (done == epilogue_.step_count) return;
    for (size_t v = 0; v < vectors; ++v) {
      const size_t at = v * positions_ * plan_.dst_block + begin;
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
    if (tiles_left_ > kPrefetchingTiles) {
      count = std::min(count, tiles_left_ - kPrefetchingTiles);
    } else {
      tile_.prefetch = next_panel_;
      tile_.prefetch_step = next_step_;
      next_panel_ += next_step_ * stretch_k_ * static_cast<ptrdiff_t>(count);
    }
    tiles_left_ -= count;
    return count;
  }

  // The taps in rows of the kernel that read the input: neighbours, but for kernels with depth.
  void keep_tap_rows(size_t row, size_t rows, size_t length) {
    const ConvShape& s = plan_.shape;
    if (s.kernel[0] > 1) return keep_taps(row, rows, 0, length);
    const size_t z = row / plan_.output[1];
    const size_t y = row % plan_.output[1];
    const auto reads = [&](size_t tap) { return reads_input(s, 1, y, y + rows - 1, tap); };
    size_t begin = 0, end = reads_input(s, 0, z, z, 0) ? s.kernel[1] : 0;
    while (begin < end && !reads(begin)) ++begin;
    while (begin < end && !reads(end - 1)) --end;
    tile_.taps = taps_.data() + begin * s.kernel[2];
    tile_.taps_end = taps_.data() + end * s.kernel[2];
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
  std::array<BlockedTap, BlockedConvPlan::kMaxSkippedTaps> kept_;
};

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
    const float* from = weights + (plan.weights_before(index) - plan.weights_before(begin));
    float* to = dst + (group * plan.out_blocks * b + channel) * plan.k;
    if (plan.kernel_taps == 1 && lanes == width) {
      transpose_f32()(from, static_cast<ptrdiff_t>(source_k), lanes, group_in, to, static_cast<ptrdiff_t>(width));
      continue;
    }
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

void pack_byte_weights(const BlockedConvPlan& plan, const int8_t* weights, size_t channels, float* dst, size_t begin,
                       size_t end) {
  constexpr size_t kBytes = sizeof(float);
  const ConvShape& s = plan.shape;
  const size_t group_out = s.out_channels / s.group;
  const size_t taps = plan.used_taps.size(), block_channels = plan.src_block * kBytes;
  std::vector<int8_t> rows(kVectors * plan.block * plan.k * kBytes);  // [lane][channel block][used tap][channel]
  for (size_t index = begin; index < end; ++index) {
    const size_t group = index / plan.group_panels;
    const size_t panel = index % plan.group_panels;
    const size_t channel = panel * kVectors * plan.block;
    const size_t width = std::min(kVectors, plan.out_blocks - panel * kVectors) * plan.block;
    float* to = dst + (group * plan.out_blocks * plan.block + channel) * (plan.head + plan.k);
    std::fill(rows.begin(), rows.end(), int8_t{0});
    for (size_t lane = 0; lane < width; ++lane) {
      int32_t sum = 0;
      const size_t output = channel + lane;
      const int8_t* from = weights + (group * group_out + output) * channels * plan.kernel_taps;
      int8_t* row = rows.data() + lane * plan.k * kBytes;
      for (size_t c = 0; output < group_out && c < channels; ++c) {
        int8_t* tap_row = row + c / block_channels * taps * block_channels + c % block_channels;
        for (size_t tap = 0; tap < taps; ++tap) {
          const int8_t weight = from[c * plan.kernel_taps + plan.used_taps[tap]];
          tap_row[tap * block_channels] = weight;
          sum += weight;
        }
      }
      const int32_t start = -sum * plan.zero;
      std::memcpy(to + lane, &start, sizeof start);
    }
    transpose_f32()(reinterpret_cast<const float*>(rows.data()), static_cast<ptrdiff_t>(plan.k), width, plan.k,
                    to + width, static_cast<ptrdiff_t>(width));
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
      copy_rows(plan, group_input(plan, args.src, image, group), first, first + plan.source_rows(row_end - row_begin),
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
