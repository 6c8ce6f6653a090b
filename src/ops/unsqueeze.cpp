// Unsqueeze: https://onnx.ai/onnx/operators/onnx__Unsqueeze.html, versions 1, 11 (negative axes), 13 (axes is an
// input), 21, 23, 24, 25. A view: no element moves.
#include "graph/registry.h"
#include "ops/support/axes_source.h"
#include "ops/support/shape_rules.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

class Unsqueeze : public Operator {
 public:
  explicit Unsqueeze(AttributeReader& attributes) : axes_(attributes, "axes", 1, 13) {}

  void infer(InferContext& context) const override {
    if (const Content* elements = context.content(0)) context.set_content(0, *elements);
    const DimShape& shape = context.shape(0);
    const auto axes = axes_.read(context);
    if (!axes.is_known || !shape.has_rank()) return;
    if (!axes.is_given) context.fail("axes is required and absent");
    const size_t rank = shape.rank() + axes.values.size();
    std::vector<bool> added(rank, false);
    for (const size_t axis : ops::normalize_axes(axes.values, rank)) added[axis] = true;
    std::vector<Dim> extents;
    size_t next = 0;
    for (size_t axis = 0; axis < rank; ++axis) extents.push_back(added[axis] ? Dim(1) : shape[next++]);
    context.set_shape(0, extents);
  }

  void plan(PlanContext& context) const override { context.view(0, 0); }

 private:
  ops::AxesSource axes_;
};

}  // namespace

void register_unsqueeze(OpRegistry& registry) {
  ops::add_versions(registry, {.name = "Unsqueeze",
                               .versions = {1, 11},
                               .signature = "data:T -> expanded:T",
                               .create = make_operator<Unsqueeze>});
  ops::add_versions(registry, {.name = "Unsqueeze",
                               .versions = {13, 21, 23, 24, 25},
                               .signature = "data:T, axes:int64 -> expanded:T",
                               .create = make_operator<Unsqueeze>});
}

}  // namespace onnxrun
