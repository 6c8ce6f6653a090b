// Reshape: https://onnx.ai/onnx/operators/onnx__Reshape.html, versions 1 (shape is an attribute), 5, 13, 14
// (allowzero), 19, 21, 23, 24, 25. A view: no element moves.
#include "graph/registry.h"
#include "ops/support/shape_rules.h"

namespace onnxrun {
namespace {

class Reshape : public Operator {
 public:
  explicit Reshape(AttributeReader& attributes)
      : allow_zero_(attributes.version() >= 14 && attributes.flag("allowzero", false)) {
    if (attributes.version() < 5) {
      attributes.ignore("consumed_inputs");
      shape_ = attributes.integers("shape");
    }
  }

  void infer(InferContext& context) const override {
    std::vector<Dim> target;
    if (shape_) {
      target.assign(shape_->begin(), shape_->end());
    } else if (const Content* content = context.required_content(1)) {
      target = *content;
    } else {
      const DimShape& shape = context.shape(1);
      if (shape.has_rank() && shape.rank() == 1 && shape[0].is_number()) {
        context.set_shape(0, DimShape::of_rank(static_cast<size_t>(shape[0].number())));
      }
      return;
    }
    context.set_shape(0, resolve(context, std::move(target)));
    if (const Content* elements = context.content(0)) context.set_content(0, *elements);
  }

  void plan(PlanContext& context) const override { context.view(0, 0); }

 private:
  // Replaces 0 by the input's extent and -1 by what is left.
  DimShape resolve(const InferContext& context, std::vector<Dim> target) const {
    const DimShape& input = context.shape(0);
    size_t inferred = target.size();
    Dim known = 1;
    for (size_t axis = 0; axis < target.size(); ++axis) {
      if (target[axis].is(0) && !allow_zero_) {
        if (input.has_rank() && axis >= input.rank()) {
          context.fail("shape copies dimension " + std::to_string(axis) + ", which the input does not have");
        }
        target[axis] = input.has_rank() ? input[axis] : Dim::unknown();
      } else if (target[axis].is(-1)) {
        if (inferred != target.size()) context.fail("shape has more than one -1");
        inferred = axis;
        continue;
      } else if (target[axis].is_number() && target[axis].number() < 0) {
        context.fail("shape has the extent " + target[axis].to_string());
      }
      known = known * target[axis];
    }
    const Dim total = input.elements();
    if (inferred != target.size()) {
      target[inferred] = infer_extent(context, total, known);
    } else if (total.is_number() && known.is_number() && !(total == known)) {
      context.fail(total.to_string() + " elements cannot take the shape " + DimShape(target).to_string());
    }
    return target;
  }

  static Dim infer_extent(const InferContext& context, const Dim& total, const Dim& known) {
    if (!total.is_number() || !known.is_number()) return exact_div(total, known);
    if (known.is(0)) {
      if (!total.is(0)) context.fail("an extent of 0 leaves no room for " + total.to_string() + " elements");
      return 0;
    }
    if (total.number() % known.number() != 0) {
      context.fail(total.to_string() + " elements cannot be divided by " + known.to_string());
    }
    return total.number() / known.number();
  }

  bool allow_zero_;
  std::optional<std::vector<int64_t>> shape_;
};

}  // namespace

void register_reshape(OpRegistry& registry) {
  registry.add({.name = "Reshape",
                .versions = {1},
                .signature = "data:T -> reshaped:T",
                .types = {{.name = "T", .tensors = kIeeeFloats}},
                .create = make_operator<Reshape>});
  registry.add({.name = "Reshape",
                .versions = {5, 13, 14, 19, 21, 23, 24, 25},
                .signature = "data:T, shape:int64 -> reshaped:T",
                .types = {{.name = "T", .tensors = kAllTypes}},
                .create = make_operator<Reshape>});
}

}  // namespace onnxrun
