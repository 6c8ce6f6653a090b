// Depthwise convolution, straight: vectors along a row of the output, the input's rows padded first.
#include "kernels/conv/conv_kernels.h"
#include "kernels/gemm/micro_kernel.h"
#include "kernels/unary/epilogue_row.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {
namespace {

using conv_detail::ceil_div;
using conv_detail::smaller;

constexpr size_t kWidth = kLanes<float>;
constexpr int kMaxVectors = 4;  // of one row computed together, to share each weight that is read

// Copies a row of the input to its padded form: dst[phase][i] = src[i * stride + phase - pad], or zero outside.
void pad_row(const ConvShape& s, const DepthwiseRows& rows, const float* src, float* dst) noexcept {
  const size_t stride = s.stride[2];
  const size_t pad = s.pad_begin[2];
  for (size_t phase = 0; phase < stride; ++phase, dst += rows.phase_length) {
    const size_t begin = smaller(rows.phase_length, phase >= pad ? 0 : ceil_div(pad - phase, stride));
    const size_t inside = s.input[2] + pad;
    const size_t end = smaller(rows.phase_length, inside > phase ? ceil_div(inside - phase, stride) : 0);
    for (size_t i = 0; i < begin; ++i) dst[i] = 0.0f;
    const float* from = src + (begin * stride + phase - pad);
    size_t i = begin;
    if (stride == 1) {
      for (; i + kWidth <= end; i += kWidth, from += kWidth) store(dst + i, load(from));
    } else if (stride == 2) {
      for (; i + kWidth < end; i += kWidth, from += 2 * kWidth) {
        store(dst + i, even_lanes(load(from), load(from + kWidth)));
      }
    }
    for (; i < end; ++i, from += stride) dst[i] = *from;
    for (; i < rows.phase_length; ++i) dst[i] = 0.0f;
  }
}

struct RowArgs {
  const float* input;      // padded row of the first tap row inside the input
  ptrdiff_t tap_row_step;  // to the padded row of the next tap row
  const float* weights;    // of the first tap row inside the input
  size_t tap_rows, tap_columns;
  size_t dilation, stride, phase_length;
  float bias;
  const float* residual;
  float* dst;
  RegisterEpilogue<float> epilogue;

  // From output 0's first element of a tap column to that of another.
  size_t column_offset(size_t tap) const noexcept {
    return tap * dilation % stride * phase_length + tap * dilation / stride;
  }
};

ONNXRUN_INLINE Vec<float> activate(const RegisterEpilogue<float>& epilogue, const Vec<float>& x) noexcept {
  using Activation = RegisterEpilogue<float>::Activation;
  const Vec<float> zero(0.0f);
  const Vec<float> alpha(epilogue.alpha);
  switch (epilogue.activation) {
    case Activation::relu:
      return at_least(x, zero);
    case Activation::clip:
      return at_most(at_least(x, alpha), Vec<float>(epilogue.beta));
    case Activation::leaky_relu:
      return select(x < zero, x * alpha, x);
    case Activation::none:
      break;
  }
  return x;
}

// Outputs [x, x + kVectors * kWidth) of a row, of which `columns` are stored. kTaps: columns of the kernel, 0 for any.
template <int kVectors, int kTaps>
ONNXRUN_INLINE void compute(const RowArgs& row, const size_t* offsets, size_t x, size_t columns) noexcept {
  Vec<float> acc[kVectors];
  ONNXRUN_UNROLL
  for (int v = 0; v < kVectors; ++v) acc[v] = Vec<float>(0.0f);
  const float* input = row.input + x;
  const float* weights = row.weights;
  for (size_t ty = row.tap_rows; ty != 0; --ty) {
    const auto column = [&](size_t tx, size_t offset) {
      const Vec<float> w(weights[tx]);
      ONNXRUN_UNROLL
      for (int v = 0; v < kVectors; ++v) acc[v] = fma(load(input + offset + v * kWidth), w, acc[v]);
    };
    if constexpr (kTaps > 0) {
      ONNXRUN_UNROLL
      for (int tx = 0; tx < kTaps; ++tx) column(static_cast<size_t>(tx), offsets[tx]);
    } else {
      for (size_t tx = 0; tx < row.tap_columns; ++tx) column(tx, row.column_offset(tx));
    }
    input += row.tap_row_step;
    weights += row.tap_columns;
  }
  const size_t tail = columns - (kVectors - 1) * kWidth;
  ONNXRUN_UNROLL
  for (int v = 0; v < kVectors; ++v) {
    const size_t at = x + static_cast<size_t>(v) * kWidth;
    const bool whole = v + 1 < kVectors || tail == kWidth;
    Vec<float> y = acc[v] + Vec<float>(row.bias);
    if (row.epilogue.add_residual) y += whole ? load(row.residual + at) : load_partial(row.residual + at, tail);
    y = activate(row.epilogue, y);
    if (whole) {
      store(row.dst + at, y);
    } else {
      store_partial(row.dst + at, y, tail);
    }
  }
}

template <int kTaps>
void compute_row(const RowArgs& row, size_t columns) noexcept {
  size_t offsets[kTaps > 0 ? kTaps : 1];
  for (int tx = 0; tx < kTaps; ++tx) offsets[tx] = row.column_offset(static_cast<size_t>(tx));
  size_t x = 0;
  for (; columns - x >= kMaxVectors * kWidth; x += kMaxVectors * kWidth) {
    compute<kMaxVectors, kTaps>(row, offsets, x, kMaxVectors * kWidth);
  }
  for (; columns - x >= 2 * kWidth; x += 2 * kWidth) compute<2, kTaps>(row, offsets, x, 2 * kWidth);
  for (; x < columns; x += kWidth) compute<1, kTaps>(row, offsets, x, smaller(kWidth, columns - x));
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
    for (size_t r = 0; r < count; ++r) {
      const size_t y = begin * s.stride[1] + r - s.pad_begin[1];  // wraps around when it is padding
      if (y < s.input[1]) pad_row(s, rows, src + y * s.input[2], scratch + r * rows.row_length);
    }
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
    const auto run = s.kernel[2] == 3 ? compute_row<3> : s.kernel[2] == 5 ? compute_row<5> : compute_row<0>;
    for (size_t y = begin; y < end; ++y) {
      // Tap rows [first, last) lie inside the input; the others add nothing.
      const size_t top = y * s.stride[1];
      const size_t bottom = s.input[1] + s.pad_begin[1];
      const size_t first = top >= s.pad_begin[1] ? 0 : ceil_div(s.pad_begin[1] - top, s.dilation[1]);
      const size_t last = bottom > top ? smaller(s.kernel[1], ceil_div(bottom - top, s.dilation[1])) : 0;
      row.tap_rows = last > first ? last - first : 0;
      row.input = scratch + ((y - begin) * s.stride[1] + first * s.dilation[1]) * rows.row_length;
      row.weights = weights + first * s.kernel[2];
      row.dst = args.dst + out + y * plan.output[2];
      row.residual = args.epilogue.residual + out + y * plan.output[2];
      run(row, plan.output[2]);
    }
    const int done = row.epilogue.steps;
    if (done < args.epilogue.step_count) {
      const size_t at = out + begin * plan.output[2];
      apply_epilogue_row(args.dst + at, args.epilogue.residual + at, (end - begin) * plan.output[2],
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
