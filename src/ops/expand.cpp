// Expand: https://onnx.ai/onnx/operators/onnx__Expand.html, versions 8, 13.
#include "graph/registry.h"
#include "ops/support/shape_rules.h"
#include "ops/support/strided_copy.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

class Expand : public Operator {
 public:
  explicit Expand(AttributeReader& /*attributes*/) {}

  void infer(InferContext& context) const override {
    const Content* shape = context.required_content(1);
    if (!shape) return;
    for (const Dim& extent : *shape) {
      if (extent.is_number() && extent.number() < 0) context.fail("shape has the extent " + extent.to_string());
    }
    const DimShape result = ops::broadcast(context.shape(0), DimShape(*shape));
    context.set_shape(0, result);
    const Content* elements = context.content(0);
    const Dim count = result.elements();
    if (elements && elements->size() == 1 && count.is_number() && count.number() <= kMaxContentElements) {
      context.set_content(0, Content(static_cast<size_t>(count.number()), elements->front()));
    }
  }

  void plan(PlanContext& context) const override {
    const Shape& output = context.output(0).shape;
    const auto strides = ops::broadcast_strides(context.input(0).shape, output);
    const auto target = ops::row_major_strides(output);
    ops::StridedCopy copy;
    for (size_t axis = 0; axis < output.rank(); ++axis) copy.add_axis(output[axis], strides[axis], target[axis]);
    ops::plan_part(context, 0, 0, copy);
  }
};

}  // namespace

void register_expand(OpRegistry& registry) {
  ops::add_versions(registry, {.name = "Expand",
                               .versions = {8, 13},
                               .signature = "input:T, shape:int64 -> output:T",
                               .create = make_operator<Expand>});
}

}  // namespace onnxrun
