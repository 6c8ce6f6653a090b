// Flatten: https://onnx.ai/onnx/operators/onnx__Flatten.html, versions 1, 9, 11 (negative axis), 13, 21, 23, 24, 25. A
// view: no element moves.
#include "graph/registry.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

class Flatten : public Operator {
 public:
  explicit Flatten(AttributeReader& attributes)
      : axis_(attributes.integer("axis", 1)), may_be_negative_(attributes.version() >= 11) {}

  void infer(InferContext& context) const override {
    const DimShape& shape = context.shape(0);
    if (!shape.has_rank()) return context.set_shape(0, DimShape::of_rank(2));
    const auto rank = static_cast<int64_t>(shape.rank());
    if (axis_ < (may_be_negative_ ? -rank : 0) || axis_ > rank) {
      context.fail("axis " + std::to_string(axis_) + " is out of range for rank " + std::to_string(rank));
    }
    const auto axis = static_cast<size_t>(axis_ < 0 ? axis_ + rank : axis_);
    context.set_shape(0, {shape.elements(0, axis), shape.elements(axis, shape.rank())});
  }

  void plan(PlanContext& context) const override { context.view(0, 0); }

 private:
  int64_t axis_;
  bool may_be_negative_;
};

}  // namespace

void register_flatten(OpRegistry& registry) {
  registry.add({.name = "Flatten",
                .versions = {1},
                .signature = "input:T -> output:T",
                .types = {{.name = "T", .tensors = kIeeeFloats}},
                .create = make_operator<Flatten>});
  ops::add_versions(registry, {.name = "Flatten",
                               .versions = {9, 11, 13, 21, 23, 24, 25},
                               .signature = "input:T -> output:T",
                               .create = make_operator<Flatten>});
}

}  // namespace onnxrun
