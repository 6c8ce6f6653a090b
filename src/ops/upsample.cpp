// Upsample: https://onnx.ai/onnx/operators/onnx__Upsample.html, versions 1 (height_scale, width_scale), 7 (scales as
// attribute), 9 (as input), 10 (deprecated, runs as 9). Coordinates as Resize 10: asymmetric, the lower neighbour.
#include "graph/registry.h"
#include "ops/support/resample.h"

namespace onnxrun {
namespace {

class Upsample : public Operator {
 public:
  explicit Upsample(AttributeReader& attributes)
      : rule_(attributes.version() == 1 ? attributes.one_of("mode", {"nearest", "bilinear"})
                                        : attributes.one_of("mode", {"nearest", "linear"})) {
    if (attributes.version() == 1) {
      scales_ = {1, 1, attributes.number("height_scale", 0), attributes.number("width_scale", 0)};
    } else if (attributes.version() < 9) {
      for (const float scale : attributes.numbers("scales")) scales_.push_back(static_cast<double>(scale));
    }
    is_input_ = attributes.version() >= 9;
  }

  void infer(InferContext& context) const override {
    const DimShape& x = context.shape(0);
    const Tensor* tensor = is_input_ ? context.required_constant(1) : nullptr;
    if (!x.has_rank()) return;
    if (is_input_ && !tensor) return context.set_shape(0, DimShape::of_rank(x.rank()));
    const std::vector<double> scales = tensor ? ops::read_floats(*tensor) : scales_;
    if (scales.size() != x.rank()) {
      context.fail(std::to_string(scales.size()) + " scales for an input of rank " + std::to_string(x.rank()));
    }
    DimShape shape = x;
    for (size_t axis = 0; axis < x.rank(); ++axis) {
      if (!(scales[axis] >= 1)) context.fail("the scale " + std::to_string(scales[axis]) + " is less than 1");
      shape[axis] = ops::scaled_extent(x[axis], scales[axis]);
    }
    context.set_shape(0, std::move(shape));
  }

  void plan(PlanContext& context) const override {
    const std::vector<double> scales = is_input_ ? ops::read_floats(*context.elements(1)) : scales_;
    ops::plan_resample(context, ops::sample_axes(rule_, context.input(0).shape, context.output(0).shape, scales, {}),
                       0);
  }

 private:
  ops::SamplingRule rule_;
  std::vector<double> scales_;
  bool is_input_ = false;
};

}  // namespace

void register_upsample(OpRegistry& registry) {
  const DTypeSet first = kIeeeFloats | DTypeSet{DType::boolean, DType::int32, DType::int64};
  registry.add({.name = "Upsample",
                .versions = {1},
                .signature = "X:T -> Y:T",
                .types = {{.name = "T", .tensors = first}},
                .create = make_operator<Upsample>});
  registry.add({.name = "Upsample",
                .versions = {7},
                .signature = "X:T -> Y:T",
                .types = {{.name = "T", .tensors = kClassicTypes}},
                .create = make_operator<Upsample>});
  registry.add({.name = "Upsample",
                .versions = {9, 10},
                .signature = "X:T, scales:float32 -> Y:T",
                .types = {{.name = "T", .tensors = kClassicTypes}},
                .create = make_operator<Upsample>});
}

}  // namespace onnxrun
