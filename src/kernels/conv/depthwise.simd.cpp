// Depthwise convolution, straight: vectors along a row of the output, the input's rows padded first.
#include "kernels/conv/conv_kernels.h"
#include "kernels/gemm/micro_kernel.h"
#include "kernels/unary/epilogue_row.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {
namespace {

using conv_detail::ceil_div;
using conv_detail::smaller;

constexpr size_t kWidth = kLanes<float>;
// Vectors computed together, to share each weight that is read.
#if defined(ONNXRUN_SIMD_sse2)
constexpr int kMaxVectors = 2;
#else
constexpr int kMaxVectors = 4;
#endif

// One vector of the padded rows: dst[j] = src[j * stride] for the lanes [begin, end), zero for the others, in `count`
// rows.
template <size_t kStride>
void pad_vector(const float* src, size_t src_step, size_t stride, size_t begin, size_t end, float* dst, size_t dst_step,
                size_t count) noexcept {
  // At stride 2 the elements [2 begin, 2 end - 1) of two vectors: the one after the last may lie outside the input.
  const size_t reach = kStride == 2 ? (end > begin ? 2 * end - 1 : 2 * begin) : end;
  const size_t from = kStride == 2 ? 2 * begin : begin;
  const LoadMask low = load_mask(smaller(from, kWidth), smaller(reach, kWidth));
  const LoadMask high = load_mask(from > kWidth ? from - kWidth : 0, reach > kWidth ? reach - kWidth : 0);
  for (; count != 0; --count, src += src_step, dst += dst_step) {
    if constexpr (kStride == 1) {
      store(dst, load_masked(src, low));
    } else if constexpr (kStride == 2) {
      store(dst, even_lanes(load_masked(src, low), load_masked(src + kWidth, high)));
    } else {
      for (size_t j = 0; j < kWidth; ++j) dst[j] = j >= begin && j < end ? src[j * stride] : 0.0f;
    }
  }
}

// Copies rows of the input to their padded form: dst[phase][i] = src[i * stride + phase - pad], or zero outside.
void pad_rows(const ConvShape& s, const DepthwiseRows& rows, const float* src, float* dst, size_t count) noexcept {
  const size_t stride = s.stride[2];
  const size_t pad = s.pad_begin[2];
  const size_t inside = s.input[2] + pad;
  const auto run = stride == 1 ? pad_vector<1> : stride == 2 ? pad_vector<2> : pad_vector<0>;
  for (size_t phase = 0; phase < stride; ++phase) {
    const size_t begin = phase >= pad ? 0 : ceil_div(pad - phase, stride);
    const size_t end = inside > phase ? ceil_div(inside - phase, stride) : 0;
    for (size_t i = 0; i < rows.phase_length; i += kWidth) {
      const size_t from = begin > i ? smaller(begin - i, kWidth) : 0;
      const size_t to = end > i ? smaller(end - i, kWidth) : 0;
      run(src + static_cast<ptrdiff_t>(i * stride + phase) - static_cast<ptrdiff_t>(pad), s.input[2], stride, from, to,
          dst + phase * rows.phase_length + i, rows.row_length, count);
    }
  }
}

// Neighbouring rows of the output that read as many tap rows each.
struct RowArgs {
  const float* input;         // padded row of the first tap row inside the input
  ptrdiff_t tap_row_step;     // to the padded row of the next tap row
  ptrdiff_t output_row_step;  // to what the next row of the output reads
  const float* weights;       // of the first tap row inside the input
  size_t tap_rows, tap_columns;
  size_t dilation, stride, phase_length;
  float bias;
  const float* residual;
  float* dst;
  const float* dst_end;  // nothing at or after it is written; before it, what a later row will write
  RegisterEpilogue<float> epilogue;

  // From output 0's first element of a tap column to that of another.
  size_t column_offset(size_t tap) const noexcept {
    return tap * dilation % stride * phase_length + tap * dilation / stride;
  }
};

// Offsets of tap columns that are kept; those of wider kernels are found again for every vector.
constexpr int kKeptOffsets = 64;
template <int kTaps>
constexpr int kOffsets = kTaps > 0 ? kTaps : kKeptOffsets;

// kVectors vectors of outputs, input_step apart in the padded input and output_step in the output; `columns` of the
// last one are stored (of all, when kRows). kTaps: columns of the kernel, 0 for any.
template <int kVectors, int kTaps, bool kRows>
ONNXRUN_INLINE void compute(const RowArgs& row, const size_t* offsets, size_t x, ptrdiff_t output_step,
                            size_t columns) noexcept {
  Vec<float> acc[kVectors];
  ONNXRUN_UNROLL
  for (int v = 0; v < kVectors; ++v) acc[v] = Vec<float>(0.0f);
  const ptrdiff_t input_step = kRows ? row.output_row_step : static_cast<ptrdiff_t>(kWidth);
  const float* input[kVectors];
  ONNXRUN_UNROLL
  for (int v = 0; v < kVectors; ++v) input[v] = row.input + x + v * input_step;
  const float* weights = row.weights;
  for (size_t ty = row.tap_rows; ty != 0; --ty) {
    const auto column = [&](size_t tx, size_t offset) {
      const Vec<float> w(weights[tx]);
      ONNXRUN_UNROLL
      for (int v = 0; v < kVectors; ++v) acc[v] = fma(load(input[v] + offset), w, acc[v]);
    };
    if constexpr (kTaps > 0) {
      ONNXRUN_UNROLL
      for (int tx = 0; tx < kTaps; ++tx) column(static_cast<size_t>(tx), offsets[tx]);
    } else {
      for (size_t tx = 0; tx < row.tap_columns; ++tx)
        column(tx, tx < kKeptOffsets ? offsets[tx] : row.column_offset(tx));
    }
    ONNXRUN_UNROLL
    for (int v = 0; v < kVectors; ++v) input[v] += row.tap_row_step;
    weights += row.tap_columns;
  }
  ONNXRUN_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    const ptrdiff_t at = static_cast<ptrdiff_t>(x) + v * output_step;
    const bool whole = columns == kWidth || (!kRows && v + 1 < kVectors);
    Vec<float> y = acc[v] + Vec<float>(row.bias);
    if (row.epilogue.add_residual) y += whole ? load(row.residual + at) : load_partial(row.residual + at, columns);
    activate(row.epilogue, [&](auto f) ONNXRUN_INLINE_LAMBDA { f(y); });
    // Whole vectors are faster; the residual of a later row may be what they would overwrite.
    if (whole || (!row.epilogue.add_residual && row.dst_end - (row.dst + at) >= static_cast<ptrdiff_t>(kWidth))) {
      store(row.dst + at, y);
    } else {
      store_partial(row.dst + at, y, columns);
    }
  }
}

template <int kTaps>
void compute_row(const RowArgs& row, size_t columns) noexcept {
  size_t offsets[kOffsets<kTaps>];
  for (size_t tx = 0; tx < smaller(row.tap_columns, kOffsets<kTaps>); ++tx) offsets[tx] = row.column_offset(tx);
  constexpr ptrdiff_t kStep = kWidth;
  size_t x = 0;
  for (; columns - x >= kMaxVectors * kWidth; x += kMaxVectors * kWidth) {
    compute<kMaxVectors, kTaps, false>(row, offsets, x, kStep, kWidth);
  }
  for (; columns - x > kWidth; x += 2 * kWidth) {
    compute<2, kTaps, false>(row, offsets, x, kStep, smaller(kWidth, columns - x - kWidth));
    if (columns - x <= 2 * kWidth) return;
  }
  if (x < columns) compute<1, kTaps, false>(row, offsets, x, kStep, columns - x);
}

// kMaxVectors rows at once, for rows shorter than a few vectors.
template <int kTaps>
void compute_rows(const RowArgs& row, size_t columns) noexcept {
  size_t offsets[kOffsets<kTaps>];
  for (size_t tx = 0; tx < smaller(row.tap_columns, kOffsets<kTaps>); ++tx) offsets[tx] = row.column_offset(tx);
  // Backwards, because what is stored beyond the end of a row belongs to the beginning of the next.
  for (size_t x = (columns - 1) / kWidth * kWidth + kWidth; x > 0;) {
    x -= kWidth;
    compute<kMaxVectors, kTaps, true>(row, offsets, x, static_cast<ptrdiff_t>(columns), smaller(kWidth, columns - x));
  }
}

struct Plane {
  const ConvPlan& plan;
  const ConvArgs& args;
  DepthwiseRows rows;
  size_t image, channel;  // of the input

  // Pads the input rows that outputs [begin, end) read; scratch row 0 is input row begin * stride - pad.
  void pad(size_t begin, size_t end, float* scratch) const noexcept {
    const ConvShape& s = plan.shape;
    const float* src = args.src + (image * s.in_channels + channel) * s.input[1] * s.input[2];
    const size_t count = (end - begin - 1) * s.stride[1] + (s.kernel[1] - 1) * s.dilation[1] + 1;
    const size_t top = begin * s.stride[1];
    const size_t above = top >= s.pad_begin[1] ? 0 : s.pad_begin[1] - top;
    const size_t inside = s.input[1] + s.pad_begin[1];
    const size_t below = inside > top ? smaller(count, inside - top) : 0;
    if (above >= below) return;
    pad_rows(s, rows, src + (top + above - s.pad_begin[1]) * s.input[2], scratch + above * rows.row_length,
             below - above);
  }

  // Tap rows [first, end) of output row y lie inside the input; the others add nothing.
  size_t first_tap_row(size_t y) const noexcept {
    const ConvShape& s = plan.shape;
    const size_t top = y * s.stride[1];
    return top >= s.pad_begin[1] ? 0 : ceil_div(s.pad_begin[1] - top, s.dilation[1]);
  }
  size_t end_tap_row(size_t y) const noexcept {
    const ConvShape& s = plan.shape;
    const size_t top = y * s.stride[1];
    const size_t bottom = s.input[1] + s.pad_begin[1];
    return bottom > top ? smaller(s.kernel[1], ceil_div(bottom - top, s.dilation[1])) : 0;
  }

  // Output rows [begin, end) of one output channel from the padded rows.
  void compute(size_t out_channel, size_t begin, size_t end, const float* scratch) const noexcept {
    const ConvShape& s = plan.shape;
    const size_t out = (image * s.out_channels + out_channel) * plan.positions;
    const float* weights = args.packed_weights + out_channel * s.kernel[1] * s.kernel[2];
    RowArgs row{};
    row.tap_row_step = static_cast<ptrdiff_t>(s.dilation[1] * rows.row_length);
    row.tap_columns = s.kernel[2];
    row.dilation = s.dilation[2];
    row.stride = s.stride[2];
    row.phase_length = rows.phase_length;
    row.bias = args.epilogue.bias ? args.epilogue.bias[out_channel] : 0.0f;
    row.epilogue = register_epilogue<float>(args.epilogue.steps, args.epilogue.step_count);
    row.output_row_step = static_cast<ptrdiff_t>(s.stride[1] * rows.row_length);
    row.dst_end = args.dst + out + end * plan.output[2];
    const auto one = s.kernel[2] == 1   ? compute_row<1>
                     : s.kernel[2] == 3 ? compute_row<3>
                     : s.kernel[2] == 5 ? compute_row<5>
                                        : compute_row<0>;
    const auto several = s.kernel[2] == 3 ? compute_rows<3> : s.kernel[2] == 5 ? compute_rows<5> : compute_rows<0>;
    // A vector stored beyond the end of its row must reach only the row after it.
    const bool narrow = plan.output[2] < kMaxVectors * kWidth && plan.output[2] >= kWidth / 2;
    for (size_t y = begin; y < end;) {
      const size_t first = first_tap_row(y);
      const size_t last = end_tap_row(y);
      const size_t y_end = y + kMaxVectors;
      const bool group =
          narrow && y_end <= end && first_tap_row(y_end - 1) == first && end_tap_row(y_end - 1) == last && first < last;
      row.tap_rows = last > first ? last - first : 0;
      row.input = scratch + ((y - begin) * s.stride[1] + first * s.dilation[1]) * rows.row_length;
      row.weights = weights + first * s.kernel[2];
      row.dst = args.dst + out + y * plan.output[2];
      row.residual = advance(args.epilogue.residual, out + y * plan.output[2]);
      (group ? several : one)(row, plan.output[2]);
      y += group ? kMaxVectors : 1;
    }
    const int done = row.epilogue.steps;
    if (done < args.epilogue.step_count) {
      const size_t at = out + begin * plan.output[2];
      apply_epilogue_row(args.dst + at, advance(args.epilogue.residual, at), (end - begin) * plan.output[2],
                         args.epilogue.steps + done, args.epilogue.step_count - done);
    }
  }
};

void run_tile(const ConvPlan& plan, const ConvArgs& args, size_t tile, const float*, float* scratch) noexcept {
  const ConvShape& s = plan.shape;
  const size_t row_begin = tile % plan.position_tiles * plan.position_tile;
  const size_t row_end = smaller(plan.output[1], row_begin + plan.position_tile);
  const size_t channel_block = tile / plan.position_tiles;
  const size_t channel_begin = channel_block % plan.channel_tiles * plan.channel_tile;
  const size_t channel_end = smaller(s.in_channels, channel_begin + plan.channel_tile);
  const size_t multiplier = s.out_channels / s.in_channels;
  Plane plane{plan, args, depthwise_rows(plan), channel_block / plan.channel_tiles, 0};
  for (plane.channel = channel_begin; plane.channel < channel_end; ++plane.channel) {
    for (size_t y = row_begin; y < row_end; y += plane.rows.block) {
      const size_t y_end = smaller(row_end, y + plane.rows.block);
      plane.pad(y, y_end, scratch);
      for (size_t m = 0; m < multiplier; ++m) plane.compute(plane.channel * multiplier + m, y, y_end, scratch);
    }
  }
}

void pack_tile(const ConvPlan&, const ConvArgs&, size_t, float*) noexcept {}

}  // namespace

extern const ConvKernels kDepthwiseKernels;
const ConvKernels kDepthwiseKernels = {1, kWidth, kWidth, pack_tile, run_tile};

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
