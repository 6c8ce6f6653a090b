// Squeeze: https://onnx.ai/onnx/operators/onnx__Squeeze.html, versions 1, 11 (negative axes), 13 (axes is an input),
// 21, 23, 24, 25. A view: no element moves.
#include "graph/registry.h"
#include "ops/support/axes_source.h"
#include "ops/support/shape_rules.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

class Squeeze : public Operator {
 public:
  explicit Squeeze(AttributeReader& attributes) : axes_(attributes, "axes", 1, 13) {}

  void infer(InferContext& context) const override {
    if (const Content* elements = context.content(0)) context.set_content(0, *elements);
    const DimShape& shape = context.shape(0);
    const auto axes = axes_.read(context);
    if (!axes.is_known || !shape.has_rank()) return;
    std::vector<bool> dropped(shape.rank(), false);
    if (axes.is_given) {
      for (const size_t axis : ops::normalize_axes(axes.values, shape.rank())) dropped[axis] = true;
    }
    std::vector<Dim> kept;
    for (size_t axis = 0; axis < shape.rank(); ++axis) {
      const Dim& extent = shape[axis];
      if (!axes.is_given && !extent.is_number()) return;
      if (!axes.is_given) dropped[axis] = extent.is(1);
      if (dropped[axis] && extent.is_number() && !extent.is(1)) {
        context.fail("axes names axis " + std::to_string(axis) + " of extent " + extent.to_string());
      }
      if (!dropped[axis]) kept.push_back(extent);
    }
    context.set_shape(0, kept);
  }

  void plan(PlanContext& context) const override { context.view(0, 0); }

 private:
  ops::AxesSource axes_;
};

}  // namespace

void register_squeeze(OpRegistry& registry) {
  ops::add_versions(
      registry,
      {.name = "Squeeze", .versions = {1, 11}, .signature = "data:T -> squeezed:T", .create = make_operator<Squeeze>});
  ops::add_versions(registry, {.name = "Squeeze",
                               .versions = {13, 21, 23, 24, 25},
                               .signature = "data:T, axes:int64? -> squeezed:T",
                               .create = make_operator<Squeeze>});
}

}  // namespace onnxrun
