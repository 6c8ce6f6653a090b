// Convolution as a matrix product: the output [channels, positions] is weights [channels, k] times the input gathered
// as [k, positions], k = (tap, input channel). The gathered panels are short-lived: a tile's worth at a time.
#include "kernels/conv/conv_kernels.h"
#include "kernels/gemm/micro_kernel.h"
#include "kernels/unary/epilogue_row.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {
namespace {

using conv_detail::ceil_div;
using conv_detail::smaller;

constexpr size_t kPositions = kPanelColumns<float>;
constexpr size_t kWidth = kLanes<float>;
constexpr TileTable<float, true> kTiles;

constexpr int kVectors = kTileVectors;

// Lanes [lane, lane + length) of a panel, from `offset` on within a channel's plane.
struct Run {
  size_t lane, length;
  ptrdiff_t offset;
};

// What one vector of a panel takes from a row of the input: the lanes in `low` from offset on; at stride 2 the even
// lanes of `low` and `high` together, which are two vectors side by side.
struct Piece {
  ptrdiff_t offset;
  LoadMask low, high;
};

// A stretch of one output row within a panel.
struct Segment {
  size_t lane, length, z, y, x;
};

struct Panel {
  Segment segments[kPositions];
  size_t segment_count = 0;
  // For one tap, twice: as runs, and as pieces when the stride is 1 or 2. Lanes that none covers are padding.
  Run runs[kPositions];
  size_t run_count;
  Piece pieces[kVectors][kWidth];
  size_t piece_count[kVectors];
  size_t most_pieces;
};

void find_segments(const ConvPlan& plan, size_t position, Panel& panel) noexcept {
  const size_t end = smaller(plan.positions, position + kPositions);
  size_t x = position % plan.output[2];
  size_t y = position / plan.output[2] % plan.output[1];
  size_t z = position / plan.output[2] / plan.output[1];
  panel.segment_count = 0;
  for (size_t at = position; at < end;) {
    const size_t length = smaller(plan.output[2] - x, end - at);
    panel.segments[panel.segment_count++] = {at - position, length, z, y, x};
    at += length;
    x = 0;
    if (++y == plan.output[1]) {
      y = 0;
      ++z;
    }
  }
}

// The first output whose tap at `reach` lies in the input or after it: ceil((pad - reach) / stride), at least 0.
size_t first_inside(size_t reach, size_t pad, size_t stride) noexcept {
  if (reach >= pad) return 0;
  // A division costs as much as copying a few rows.
  return stride <= 2 ? (pad - reach + stride - 1) >> (stride - 1) : ceil_div(pad - reach, stride);
}

void add_pieces(Panel& panel, const Run& run, size_t stride) noexcept {
  size_t lane = run.lane;
  size_t length = run.length;
  ptrdiff_t offset = run.offset;
  while (length != 0) {
    const size_t vector = lane / kWidth;
    const size_t begin = lane % kWidth;
    const size_t end = smaller(kWidth, begin + length);
    Piece& piece = panel.pieces[vector][panel.piece_count[vector]++];
    piece.offset = offset - static_cast<ptrdiff_t>(begin * stride);
    if (stride == 2) {
      // Of 2 kWidth elements [2 begin, 2 end - 1): the one after the last lane's may lie outside the input.
      piece.low = load_mask(smaller(2 * begin, kWidth), smaller(2 * end - 1, kWidth));
      piece.high = load_mask(2 * begin > kWidth ? 2 * begin - kWidth : 0, 2 * end > kWidth ? 2 * end - 1 - kWidth : 0);
    } else {
      piece.low = load_mask(begin, end);
    }
    if (panel.most_pieces < panel.piece_count[vector]) panel.most_pieces = panel.piece_count[vector];
    lane += end - begin;
    offset += static_cast<ptrdiff_t>((end - begin) * stride);
    length -= end - begin;
  }
}

// A position in the kernel.
struct Tap {
  size_t z, y, x;

  Tap(const ConvShape& s, size_t index) noexcept
      : z(index / s.kernel[2] / s.kernel[1]), y(index / s.kernel[2] % s.kernel[1]), x(index % s.kernel[2]) {}

  void advance(const ConvShape& s) noexcept {
    if (++x < s.kernel[2]) return;
    x = 0;
    if (++y < s.kernel[1]) return;
    y = 0;
    ++z;
  }
};

// Finds what a tap reads for each lane of the panel; whether that is anything but padding.
bool find_pieces(const ConvShape& s, Panel& panel, const Tap& tap) noexcept {
  const size_t reach_x = tap.x * s.dilation[2];
  const size_t begin_x = first_inside(reach_x, s.pad_begin[2], s.stride[2]);
  const size_t end_x = first_inside(reach_x, s.pad_begin[2] + s.input[2], s.stride[2]);
  panel.run_count = panel.most_pieces = 0;
  for (size_t& count : panel.piece_count) count = 0;
  for (size_t i = 0; i < panel.segment_count; ++i) {
    const Segment& seg = panel.segments[i];
    const size_t z = seg.z * s.stride[0] + tap.z * s.dilation[0] - s.pad_begin[0];  // wraps around when it is padding
    const size_t y = seg.y * s.stride[1] + tap.y * s.dilation[1] - s.pad_begin[1];
    const size_t from = begin_x > seg.x ? begin_x : seg.x;
    const size_t to = smaller(seg.x + seg.length, end_x);
    if (z >= s.input[0] || y >= s.input[1] || from >= to) continue;
    const size_t x = from * s.stride[2] + reach_x - s.pad_begin[2];
    const Run run = {seg.lane + from - seg.x, to - from, static_cast<ptrdiff_t>((z * s.input[1] + y) * s.input[2] + x)};
    panel.runs[panel.run_count++] = run;
    if (s.stride[2] <= 2) add_pieces(panel, run, s.stride[2]);
  }
  return panel.run_count > 0;
}

// dst[channels][kPositions] from the planes of neighbouring channels; kPieces of each vector (unused ones are empty).
template <size_t kStride, int kPieces>
void copy_pieces(const Panel& panel, const float* plane, size_t plane_size, size_t channels, float* dst) noexcept {
  ptrdiff_t offset[kVectors][kPieces];
  LoadMask low_mask[kVectors][kPieces], high_mask[kVectors][kPieces];
  const LoadMask none = load_mask(0, 0);
  ONNXRUN_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    ONNXRUN_UNROLL
    for (int i = 0; i < kPieces; ++i) {
      const Piece& piece = panel.pieces[v][i];
      const bool used = static_cast<size_t>(i) < panel.piece_count[v];
      offset[v][i] = used ? piece.offset : 0;
      low_mask[v][i] = used ? piece.low : none;
      if (kStride == 2) high_mask[v][i] = used ? piece.high : none;
    }
  }
  for (size_t c = 0; c < channels; ++c, plane += plane_size, dst += kPositions) {
    ONNXRUN_UNROLL
    for (int v = 0; v < kVectors; ++v) {
      Vec<float> low(0.0f), high(0.0f);
      ONNXRUN_UNROLL
      for (int i = 0; i < kPieces; ++i) {
        const float* from = plane + offset[v][i];
        const Vec<float> part = load_masked(from, low_mask[v][i]);
        low = i == 0 ? part : low | part;
        if constexpr (kStride == 2) {
          const Vec<float> upper = load_masked(from + kWidth, high_mask[v][i]);
          high = i == 0 ? upper : high | upper;
        }
      }
      store(dst + v * kWidth, kStride == 2 ? even_lanes(low, high) : low);
    }
  }
}

// The same for any stride and number of pieces.
void copy_lanes(const Panel& panel, const float* plane, size_t plane_size, size_t channels, size_t stride,
                float* dst) noexcept {
  for (size_t c = 0; c < channels; ++c, plane += plane_size, dst += kPositions) {
    for (size_t i = 0; i < kPositions; ++i) dst[i] = 0.0f;
    for (size_t i = 0; i < panel.run_count; ++i) {
      const Run& run = panel.runs[i];
      for (size_t j = 0; j < run.length; ++j)
        dst[run.lane + j] = plane[run.offset + static_cast<ptrdiff_t>(j * stride)];
    }
  }
}

void copy_channels(const Panel& panel, const float* plane, size_t plane_size, size_t channels, size_t stride,
                   float* dst) noexcept {
  using Copy = void (*)(const Panel&, const float*, size_t, size_t, float*) noexcept;
  constexpr size_t kMost = 3;
  static constexpr Copy kCopies[2][kMost] = {{copy_pieces<1, 1>, copy_pieces<1, 2>, copy_pieces<1, 3>},
                                             {copy_pieces<2, 1>, copy_pieces<2, 2>, copy_pieces<2, 3>}};
  if (stride <= 2 && panel.most_pieces <= kMost) {
    kCopies[stride - 1][panel.most_pieces == 0 ? 0 : panel.most_pieces - 1](panel, plane, plane_size, channels, dst);
  } else {
    copy_lanes(panel, plane, plane_size, channels, stride, dst);
  }
}

// The image, group, positions and output channels of a tile.
struct TileRange {
  size_t image, group, position_block;
  size_t panel_begin, panel_end;      // of the group's output positions
  size_t channel_begin, channel_end;  // within the group
};

TileRange tile_range(const ConvPlan& plan, size_t tile, size_t channel_tiles) noexcept {
  // Neighbouring tiles share the gathered input, or else the weights.
  TileRange range;
  const size_t channel_tile = tile % channel_tiles;
  const size_t block = tile / channel_tiles;
  range.position_block = block;
  range.group = block / plan.position_tiles % plan.shape.group;
  range.image = block / plan.position_tiles / plan.shape.group;
  const size_t panels = ceil_div(plan.positions, kPositions);
  const size_t panel_tile = plan.position_tile / kPositions;
  range.panel_begin = block % plan.position_tiles * panel_tile;
  range.panel_end = smaller(panels, range.panel_begin + panel_tile);
  range.channel_begin = channel_tile * plan.channel_tile;
  range.channel_end = smaller(plan.shape.out_channels / plan.shape.group, range.channel_begin + plan.channel_tile);
  return range;
}

// One convolution's constants, unpacked.
struct Problem {
  const ConvPlan& plan;
  const ConvArgs& args;
  size_t group_in, group_out, plane, k;

  Problem(const ConvPlan& p, const ConvArgs& a) noexcept
      : plan(p),
        args(a),
        group_in(p.shape.in_channels / p.shape.group),
        group_out(p.shape.out_channels / p.shape.group),
        plane(p.shape.input[0] * p.shape.input[1] * p.shape.input[2]),
        k(group_in * p.shape.kernel[0] * p.shape.kernel[1] * p.shape.kernel[2]) {}

  // The end of the stretch of k that begins at k_begin.
  size_t stretch_end(size_t k_begin) const noexcept {
    const size_t end = smaller(k, k_begin + plan.k_block);
    return plan.skip_zero_taps ? smaller(end, (k_begin / group_in + 1) * group_in) : end;
  }

  // Gathers k in [k_begin, k_end) of a panel to dst[k_end - k_begin][kPositions].
  void gather(const TileRange& range, Panel& panel, size_t k_begin, size_t k_end, float* dst) const noexcept {
    const ConvShape& s = plan.shape;
    const float* image = args.src + (range.image * s.in_channels + range.group * group_in) * plane;
    if (k_begin == k_end) return;
    Tap tap(s, k_begin / group_in);
    for (size_t at = k_begin, channel = k_begin % group_in; at < k_end; channel = 0, tap.advance(s)) {
      const size_t channels = smaller(group_in - channel, k_end - at);
      const bool any = find_pieces(s, panel, tap);
      if (any || !plan.skip_zero_taps) {
        copy_channels(panel, image + channel * plane, plane, channels, s.stride[2], dst + (at - k_begin) * kPositions);
      }
      at += channels;
    }
  }

  // Multiplies the stretch of k with every channel of the tile; panel p of the tile at gathered + p * panel_stride.
  void multiply(const TileRange& range, size_t k_begin, size_t k_end, const float* gathered,
                size_t panel_stride) const noexcept;
  void finish(const TileRange& range, int done_steps) const noexcept;
};

void Problem::multiply(const TileRange& range, size_t k_begin, size_t k_end, const float* gathered,
                       size_t panel_stride) const noexcept {
  const size_t panels = range.panel_end - range.panel_begin;
  const size_t blocks = ceil_div(group_out, kTileRows);
  const size_t channel0 = range.group * group_out;
  const size_t out0 = (range.image * plan.shape.out_channels + channel0) * plan.positions;
  Tile<float> tile{};
  tile.c_row_stride = tile.residual_row_stride = static_cast<ptrdiff_t>(plan.positions);
  tile.first = k_begin == 0;
  tile.last = k_end == k;
  tile.epilogue = register_epilogue<float>(args.epilogue.steps, args.epilogue.step_count);
  tile.prefetch_step = static_cast<ptrdiff_t>(kTileRows * sizeof(float) / panels);
  Panel panel;
  for (size_t channel = range.channel_begin; channel < range.channel_end; channel += kTileRows) {
    const size_t rows = smaller(kTileRows, range.channel_end - channel);
    const float* weights = args.packed_weights + (range.group * blocks + channel / kTileRows) * kTileRows * k;
    tile.a = weights + k_begin * kTileRows;
    tile.prefetch = reinterpret_cast<const char*>(tile.a + kTileRows * k);
    tile.row_bias = args.epilogue.bias ? args.epilogue.bias + channel0 + channel : nullptr;
    for (size_t p = 0; p < panels; ++p) {
      const size_t position = (range.panel_begin + p) * kPositions;
      tile.k = k_end - k_begin;
      if (plan.skip_zero_taps) {
        find_segments(plan, position, panel);
        if (!find_pieces(plan.shape, panel, Tap(plan.shape, k_begin / group_in))) {
          if (!tile.first && !tile.last) continue;
          tile.k = 0;
        }
      }
      tile.b = gathered + p * panel_stride;
      tile.columns = smaller(kPositions, plan.positions - position);
      const size_t out = out0 + channel * plan.positions + position;
      tile.c = args.dst + out;
      tile.residual = advance(args.epilogue.residual, out);
      kTiles.functions[rows - 1][ceil_div(tile.columns, kWidth) - 1](tile);
      tile.prefetch += tile.prefetch_step * static_cast<ptrdiff_t>(tile.k);
    }
  }
  if (tile.last) finish(range, tile.epilogue.steps);
}

void Problem::finish(const TileRange& range, int done_steps) const noexcept {
  const Epilogue& epilogue = args.epilogue;
  if (done_steps == epilogue.step_count) return;
  const size_t begin = range.panel_begin * kPositions;
  const size_t count = smaller(plan.positions, range.panel_end * kPositions) - begin;
  for (size_t channel = range.channel_begin; channel < range.channel_end; ++channel) {
    const size_t row = range.image * plan.shape.out_channels + range.group * group_out + channel;
    const size_t at = row * plan.positions + begin;
    apply_epilogue_row(args.dst + at, advance(epilogue.residual, at), count, epilogue.steps + done_steps,
                       epilogue.step_count - done_steps);
  }
}

// Where the gathered input of a tile begins in the shared buffer.
size_t shared_offset(const Problem& problem, const TileRange& range) noexcept {
  return range.position_block * problem.plan.position_tile * problem.k;
}

void pack_tile(const ConvPlan& plan, const ConvArgs& args, size_t tile, float* shared) noexcept {
  const Problem problem(plan, args);
  const TileRange range = tile_range(plan, tile, 1);
  float* dst = shared + shared_offset(problem, range);
  Panel panel;
  for (size_t p = range.panel_begin; p < range.panel_end; ++p, dst += problem.k * kPositions) {
    find_segments(plan, p * kPositions, panel);
    problem.gather(range, panel, 0, problem.k, dst);
  }
}

void run_tile(const ConvPlan& plan, const ConvArgs& args, size_t tile, const float* shared, float* scratch) noexcept {
  const Problem problem(plan, args);
  const TileRange range = tile_range(plan, tile, plan.channel_tiles);
  Panel panel;
  size_t k_begin = 0;
  do {
    const size_t k_end = problem.stretch_end(k_begin);
    if (plan.pack_tile_count > 0) {
      const float* gathered = shared + shared_offset(problem, range) + k_begin * kPositions;
      problem.multiply(range, k_begin, k_end, gathered, problem.k * kPositions);
    } else {
      const size_t panel_size = (k_end - k_begin) * kPositions;
      for (size_t p = range.panel_begin; p < range.panel_end; ++p) {
        find_segments(plan, p * kPositions, panel);
        problem.gather(range, panel, k_begin, k_end, scratch + (p - range.panel_begin) * panel_size);
      }
      problem.multiply(range, k_begin, k_end, scratch, panel_size);
    }
    k_begin = k_end;
  } while (k_begin < problem.k);
}

}  // namespace

extern const ConvKernels kConvKernels;
const ConvKernels kConvKernels = {kTileRows, kPositions, kWidth, pack_tile, run_tile};

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
