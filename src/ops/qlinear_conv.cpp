// QLinearConv: https://onnx.ai/onnx/operators/onnx__QLinearConv.html, version 10. Sums are exact in int32; they are
// scaled by the float x_scale * w_scale / y_scale, rounded to nearest even, and then shifted by the zero point.
#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "ops/support/conv_shape.h"
#include "ops/support/integer_conv.h"
#include "ops/support/quantization.h"

namespace onnxrun {
namespace {

enum Input : size_t { kX, kXScale, kXZero, kW, kWScale, kWZero, kYScale, kYZero, kBias };

class QLinearConv : public Operator {
 public:
  explicit QLinearConv(AttributeReader& attributes)
      : window_(attributes, false), group_(attributes.integer("group", 1)) {}

  void infer(InferContext& context) const override {
    ops::infer_conv(context, window_, group_, kX, kW, kBias);
    const DimShape& w = context.shape(kW);
    for (const size_t i : {kXScale, kXZero, kYScale, kYZero}) ops::check_channel_parameter(context, i, 1);
    for (const size_t i : {kWScale, kWZero}) {
      ops::check_channel_parameter(context, i, w.has_rank() ? w[0] : Dim::unknown());
    }
  }

  void plan(PlanContext& context) const override {
    ops::IntegerConv conv;
    conv.x = kX;
    conv.w = kW;
    conv.x_zero = kXZero;
    conv.w_zero = kWZero;
    conv.group = group_;
    const Shape& y = context.output(0).shape;
    const DType dtype = context.output(0).dtype;
    const auto group = static_cast<size_t>(group_);
    const auto rows = static_cast<size_t>(y[1]) / group;
    const auto columns = static_cast<size_t>(y.elements(2, y.rank()));
    const bool per_channel = context.input(kWScale).elements() > 1;
    const bool has_bias = context.has_input(kBias);
    const QuantizedRange range = ops::quantized_range(dtype);
    dispatch_dtype<int8_t, uint8_t>(dtype, [&]<class T>() {
      conv.store = [=, kernels = &quantize_kernels().of<T>()](const TileContext& tile, int32_t* sums, size_t product,
                                                              size_t row, size_t column, size_t n) {
        const size_t channel = product % group * rows + row;
        const float scale = *tile.input<float>(kXScale) * tile.input<float>(kWScale)[per_channel ? channel : 0];
        const float factor = scale / *tile.input<float>(kYScale);
        const int32_t bias = has_bias ? tile.input<int32_t>(kBias)[channel] : 0;
        kernels->requantize(sums, bias, {&factor, 0}, *tile.input<T>(kYZero), range,
                            tile.output<T>(0) + (product * rows + row) * columns + column, n);
      };
    });
    ops::plan_integer_conv(context, window_, conv);
  }

 private:
  ops::WindowAttributes window_;
  int64_t group_;
};

}  // namespace

void register_qlinear_conv(OpRegistry& registry) {
  const DTypeSet bytes = {DType::int8, DType::uint8};
  registry.add(
      {.name = "QLinearConv",
       .versions = {10},
       .signature = "x:T1, x_scale:float32, x_zero_point:T1, w:T2, w_scale:float32, w_zero_point:T2, "
                    "y_scale:float32, y_zero_point:T3, B:int32? -> y:T3",
       .types = {{.name = "T1", .tensors = bytes}, {.name = "T2", .tensors = bytes}, {.name = "T3", .tensors = bytes}},
       .create = make_operator<QLinearConv>});
}

}  // namespace onnxrun
