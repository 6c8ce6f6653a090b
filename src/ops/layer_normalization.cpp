// LayerNormalization (version 17) and RMSNormalization (23):
// https://onnx.ai/onnx/operators/onnx__LayerNormalization.html,
// https://onnx.ai/onnx/operators/onnx__RMSNormalization.html. Both stages are computed in float, float64 in double,
// whatever stash_type says, and rounded once; stash_type is the type of Mean and InvStdDev.
#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/row_normalization.h"
#include "ops/support/shape_rules.h"

namespace onnxrun {
namespace {

template <bool IsCentered>
class LayerNormalization : public Operator {
 public:
  explicit LayerNormalization(AttributeReader& attributes)
      : axis_(attributes.integer("axis", -1)),
        epsilon_(attributes.number("epsilon", 1e-5F)),
        stash_type_(attributes.dtype("stash_type", DType::float32)) {
    const DTypeSet allowed = IsCentered ? DTypeSet{DType::float32, DType::bfloat16} : kFloats;
    if (!allowed.contains(stash_type_)) {
      throw Error(ErrorCode::invalid_model,
                  "attribute 'stash_type' must not be " + std::string(dtype_name(stash_type_)));
    }
  }

  void infer(InferContext& context) const override {
    const DimShape& x = context.shape(0);
    context.set_output(0, context.dtype(IsCentered ? 0 : 1), x);
    for (size_t j = 1; j < context.output_count(); ++j) context.set_dtype(j, stash_type_);
    if (!x.has_rank()) return;
    const size_t axis = ops::normalize_axis(axis_, x.rank());
    for (size_t i = 1; i < context.input_count(); ++i) {
      if (context.has_input(i)) check_broadcast(context, i);
    }
    DimShape statistics = x;
    for (size_t k = axis; k < x.rank(); ++k) statistics[k] = 1;
    for (size_t j = 1; j < context.output_count(); ++j) context.set_shape(j, statistics);
  }

  void plan(PlanContext& context) const override {
    const Shape& x = context.input(0).shape;
    const bool has_bias = IsCentered && context.has_input(2);
    const auto scale = ops::broadcast_strides(context.input(1).shape, x);
    const auto bias = has_bias ? ops::broadcast_strides(context.input(2).shape, x) : scale;
    ops::RowNormalization rows({x.begin(), x.end()}, ops::normalize_axis(axis_, x.rank()), scale, bias);
    rows.epsilon = static_cast<double>(epsilon_);
    rows.is_centered = IsCentered;
    if (has_bias) rows.bias = 2;
    if (context.wants(1)) rows.mean = 1;
    if (context.wants(2)) rows.inverse = 2;
    ops::plan_row_normalization(context, rows);
  }

 private:
  static void check_broadcast(const InferContext& context, size_t i) {
    const DimShape& x = context.shape(0);
    const DimShape& shape = context.shape(i);
    bool fits = !shape.has_rank() || shape.rank() <= x.rank();
    for (size_t k = 0; fits && k < shape.rank(); ++k) {
      const Dim& have = shape[k];
      const Dim& want = x[x.rank() - shape.rank() + k];
      fits = !have.is_number() || !want.is_number() || have.is(1) || have == want;
    }
    if (!fits) {
      context.fail("input " + std::to_string(i) + " of shape " + shape.to_string() + " does not broadcast to " +
                   x.to_string());
    }
  }

  int64_t axis_;
  float epsilon_;
  DType stash_type_;
};

}  // namespace

void register_layer_normalization(OpRegistry& registry) {
  registry.add(
      {.name = "LayerNormalization",
       .versions = {17},
       .signature = "X:T, Scale:T, B:T? -> Y:T, Mean:U?, InvStdDev:U?",
       .types = {{.name = "T", .tensors = kFloats}, {.name = "U", .tensors = {DType::float32, DType::bfloat16}}},
       .create = make_operator<LayerNormalization<true>>});
  registry.add({.name = "RMSNormalization",
                .versions = {23},
                .signature = "X:T, scale:V -> Y:V",
                .types = {{.name = "T", .tensors = kFloats}, {.name = "V", .tensors = kFloats}},
                .create = make_operator<LayerNormalization<false>>});
}

}  // namespace onnxrun
