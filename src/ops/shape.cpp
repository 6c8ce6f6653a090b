// Shape: https://onnx.ai/onnx/operators/onnx__Shape.html, versions 1, 13, 15 (start, end), 19, 21, 23, 24, 25.
#include <algorithm>
#include <limits>

#include "graph/registry.h"
#include "ops/support/strided_copy.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

class ShapeOperator : public Operator {
 public:
  explicit ShapeOperator(AttributeReader& attributes) {
    if (attributes.version() < 15) return;
    start_ = attributes.integer("start", start_);
    end_ = attributes.integer("end", end_);
  }

  void infer(InferContext& context) const override {
    context.set_output(0, DType::int64, DimShape::of_rank(1));
    const DimShape& shape = context.shape(0);
    if (!shape.has_rank()) return;
    const auto [begin, end] = range(shape.rank());
    context.set_shape(0, {Dim(end - begin)});
    context.set_content(0, Content(shape.begin() + begin, shape.begin() + end));
  }

  void plan(PlanContext& context) const override {
    const Shape& shape = context.input(0).shape;
    const auto [begin, end] = range(shape.rank());
    ops::plan_integers(context, 0, std::vector<int64_t>(shape.begin() + begin, shape.begin() + end));
  }

 private:
  std::pair<int64_t, int64_t> range(size_t rank) const {
    const auto limit = static_cast<int64_t>(rank);
    const auto clamp = [&](int64_t axis) { return std::clamp<int64_t>(axis < 0 ? axis + limit : axis, 0, limit); };
    return {clamp(start_), std::max(clamp(start_), clamp(end_))};
  }

  int64_t start_ = 0;
  int64_t end_ = std::numeric_limits<int64_t>::max();
};

}  // namespace

void register_shape(OpRegistry& registry) {
  ops::add_versions(registry, {.name = "Shape",
                               .versions = {1, 13, 15, 19, 21, 23, 24, 25},
                               .signature = "data:T -> shape:int64",
                               .create = make_operator<ShapeOperator>});
}

}  // namespace onnxrun
