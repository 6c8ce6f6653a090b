// Transpose: https://onnx.ai/onnx/operators/onnx__Transpose.html, versions 1, 13, 21, 23, 24, 25. A view where only
// axes of extent 1 move.
#include "graph/content.h"
#include "graph/registry.h"
#include "ops/support/shape_rules.h"
#include "ops/support/strided_copy.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

class Transpose : public Operator {
 public:
  explicit Transpose(AttributeReader& attributes) : perm_(attributes.optional_integers("perm")) {}

  void infer(InferContext& context) const override {
    const DimShape& shape = context.shape(0);
    if (!shape.has_rank()) {
      if (perm_) context.set_shape(0, DimShape::of_rank(perm_->size()));
      return;
    }
    if (perm_ && perm_->size() != shape.rank()) {
      context.fail("perm has " + std::to_string(perm_->size()) + " axes, the input " + std::to_string(shape.rank()));
    }
    std::vector<Dim> extents;
    for (const size_t axis : axes(shape.rank())) extents.push_back(shape[axis]);
    context.set_shape(0, extents);
    if (const Content* content = context.content(0); content && shape.is_concrete()) {
      const Shape known = shape.concrete();
      const auto strides = ops::row_major_strides(known);
      std::vector<int64_t> counts, steps;
      for (const size_t axis : axes(shape.rank())) {
        counts.push_back(known[axis]);
        steps.push_back(strides[axis]);
      }
      context.set_content(0, strided_content(*content, counts, steps));
    }
  }

  void plan(PlanContext& context) const override {
    const Shape& shape = context.input(0).shape;
    const auto strides = ops::row_major_strides(shape);
    const auto target = ops::row_major_strides(context.output(0).shape);
    ops::StridedCopy copy;
    const std::vector<size_t> order = axes(shape.rank());
    for (size_t k = 0; k < order.size(); ++k) copy.add_axis(shape[order[k]], strides[order[k]], target[k]);
    ops::plan_part(context, 0, 0, copy);
  }

 private:
  std::vector<size_t> axes(size_t rank) const {
    if (perm_) return ops::normalize_axes(*perm_, rank, "perm");
    std::vector<size_t> reversed(rank);
    for (size_t axis = 0; axis < rank; ++axis) reversed[axis] = rank - 1 - axis;
    return reversed;
  }

  std::optional<std::vector<int64_t>> perm_;
};

}  // namespace

void register_transpose(OpRegistry& registry) {
  ops::add_versions(registry, {.name = "Transpose",
                               .versions = {1, 13, 21, 23, 24, 25},
                               .signature = "data:T -> transposed:T",
                               .create = make_operator<Transpose>});
}

}  // namespace onnxrun
