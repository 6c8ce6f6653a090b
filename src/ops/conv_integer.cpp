// ConvInteger: https://onnx.ai/onnx/operators/onnx__ConvInteger.html, version 10. Sums beyond 32 bits wrap around.
#include "graph/registry.h"
#include "ops/support/conv_shape.h"
#include "ops/support/integer_conv.h"

namespace onnxrun {
namespace {

class ConvInteger : public Operator {
 public:
  explicit ConvInteger(AttributeReader& attributes)
      : window_(attributes, false), group_(attributes.integer("group", 1)) {}

  void infer(InferContext& context) const override {
    ops::infer_conv(context, window_, group_, 0, 1, 4);
    const DimShape& w = context.shape(1);
    ops::check_channel_parameter(context, 2, 1);
    ops::check_channel_parameter(context, 3, w.has_rank() ? w[0] : Dim::unknown());
  }

  void plan(PlanContext& context) const override {
    ops::IntegerConv conv;
    if (context.has_input(2)) conv.x_zero = 2;
    if (context.has_input(3)) conv.w_zero = 3;
    conv.group = group_;
    ops::plan_integer_conv(context, window_, conv);
  }

 private:
  ops::WindowAttributes window_;
  int64_t group_;
};

}  // namespace

void register_conv_integer(OpRegistry& registry) {
  registry.add({.name = "ConvInteger",
                .versions = {10},
                .signature = "x:T1, w:T2, x_zero_point:T1?, w_zero_point:T2? -> y:int32",
                .types = {{.name = "T1", .tensors = {DType::int8, DType::uint8}},
                          {.name = "T2", .tensors = {DType::int8, DType::uint8}}},
                .create = make_operator<ConvInteger>});
}

}  // namespace onnxrun
