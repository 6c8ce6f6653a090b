#include "kernels/conv/conv.h"
#include "kernels/unary/unary_reference.h"

namespace onnxrun {
namespace {

// The sum of one output, `w` at its channel's weights and `src` at its group's first plane.
double convolve(const ConvShape& s, const float* src, const float* w, const size_t (&at)[3]) {
  const size_t channels = s.in_channels / s.group;
  const size_t plane = s.input[0] * s.input[1] * s.input[2];
  double sum = 0;
  for (size_t c = 0; c < channels; ++c, src += plane) {
    for (size_t tz = 0; tz < s.kernel[0]; ++tz) {
      for (size_t ty = 0; ty < s.kernel[1]; ++ty) {
        for (size_t tx = 0; tx < s.kernel[2]; ++tx, ++w) {
          // Unsigned: in the padding before the input the difference wraps around and is too large, too.
          const size_t z = at[0] * s.stride[0] + tz * s.dilation[0] - s.pad_begin[0];
          const size_t y = at[1] * s.stride[1] + ty * s.dilation[1] - s.pad_begin[1];
          const size_t x = at[2] * s.stride[2] + tx * s.dilation[2] - s.pad_begin[2];
          if (z >= s.input[0] || y >= s.input[1] || x >= s.input[2]) continue;
          sum += static_cast<double>(src[(z * s.input[1] + y) * s.input[2] + x]) * static_cast<double>(*w);
        }
      }
    }
  }
  return sum;
}

}  // namespace

void conv_reference(const ConvShape& shape, const ConvArgs& args, const float* weights) {
  const size_t group_in = shape.in_channels / shape.group;
  const size_t group_out = shape.out_channels / shape.group;
  const size_t plane = shape.input[0] * shape.input[1] * shape.input[2];
  const size_t weight_size = group_in * shape.kernel[0] * shape.kernel[1] * shape.kernel[2];
  const size_t output[3] = {conv_output_extent(shape, 0), conv_output_extent(shape, 1), conv_output_extent(shape, 2)};
  const Epilogue& epilogue = args.epilogue;
  size_t i = 0;
  for (size_t n = 0; n < shape.batch; ++n) {
    for (size_t m = 0; m < shape.out_channels; ++m) {
      const float* src = args.src + (n * shape.in_channels + m / group_out * group_in) * plane;
      for (size_t position = 0; position < output[0] * output[1] * output[2]; ++position, ++i) {
        const size_t at[3] = {position / output[2] / output[1], position / output[2] % output[1], position % output[2]};
        double sum = convolve(shape, src, weights + m * weight_size, at);
        if (epilogue.bias) sum += static_cast<double>(epilogue.bias[m]);
        const float* residual = epilogue.residual ? epilogue.residual + i : nullptr;
        args.dst[i] = static_cast<float>(epilogue_reference(sum, residual, epilogue.steps, epilogue.step_count));
      }
    }
  }
}

}  // namespace onnxrun
