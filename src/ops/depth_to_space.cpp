// DepthToSpace: https://onnx.ai/onnx/operators/onnx__DepthToSpace.html, versions 1, 11 (mode), 13. SpaceToDepth:
// https://onnx.ai/onnx/operators/onnx__SpaceToDepth.html, versions 1, 13. A transposition of [N, C, H, W] with two of
// its axes split.
#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/strided_copy.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

int64_t read_block(AttributeReader& attributes) {
  const int64_t block = attributes.required_integer("blocksize");
  if (block < 1 || block > INT32_MAX) {
    throw Error(ErrorCode::invalid_model, "attribute 'blocksize' cannot be " + std::to_string(block));
  }
  return block;
}

void check_rank(const InferContext& context) {
  if (context.shape(0).has_rank() && context.shape(0).rank() != 4) context.fail("the input must be [N, C, H, W]");
}

Dim divided(const InferContext& context, const Dim& extent, int64_t by) {
  if (extent.is_number() && extent.number() % by != 0) {
    context.fail("an extent of " + extent.to_string() + " cannot be cut into blocks of " + std::to_string(by));
  }
  return floor_div(extent, by);
}

// A copy whose target is dense over `axes`, given as extents and source strides, outermost first.
ops::StridedCopy dense_copy(const std::vector<std::pair<int64_t, int64_t>>& axes) {
  ops::StridedCopy copy;
  int64_t left = 1;
  for (const auto& [extent, stride] : axes) left *= extent;
  for (const auto& [extent, stride] : axes) {
    left = extent == 0 ? 0 : left / extent;
    copy.add_axis(extent, stride, left);
  }
  return copy;
}

class DepthToSpace : public Operator {
 public:
  explicit DepthToSpace(AttributeReader& attributes) : block_(read_block(attributes)) {
    if (attributes.version() >= 11) column_first_ = attributes.one_of("mode", {"DCR", "CRD"}) == "CRD";
  }

  void infer(InferContext& context) const override {
    check_rank(context);
    const DimShape& shape = context.shape(0);
    if (!shape.has_rank()) return context.set_shape(0, DimShape::of_rank(4));
    context.set_shape(0, {shape[0], divided(context, shape[1], block_ * block_), shape[2] * block_, shape[3] * block_});
  }

  void plan(PlanContext& context) const override {
    const Shape& input = context.input(0).shape;
    const int64_t map = input[2] * input[3];
    const int64_t depth = input[1] / (block_ * block_);
    const int64_t down = column_first_ ? block_ * map : block_ * depth * map;
    const int64_t across = column_first_ ? map : depth * map;
    ops::plan_part(context, 0, 0,
                   dense_copy({{input[0], input[1] * map},
                               {depth, column_first_ ? block_ * block_ * map : map},
                               {input[2], input[3]},
                               {block_, down},
                               {input[3], 1},
                               {block_, across}}));
  }

 private:
  int64_t block_;
  bool column_first_ = false;
};

class SpaceToDepth : public Operator {
 public:
  explicit SpaceToDepth(AttributeReader& attributes) : block_(read_block(attributes)) {}

  void infer(InferContext& context) const override {
    check_rank(context);
    const DimShape& shape = context.shape(0);
    if (!shape.has_rank()) return context.set_shape(0, DimShape::of_rank(4));
    context.set_shape(0, {shape[0], shape[1] * (block_ * block_), divided(context, shape[2], block_),
                          divided(context, shape[3], block_)});
  }

  void plan(PlanContext& context) const override {
    const Shape& input = context.input(0).shape;
    const int64_t map = input[2] * input[3];
    ops::plan_part(context, 0, 0,
                   dense_copy({{input[0], input[1] * map},
                               {block_, input[3]},
                               {block_, 1},
                               {input[1], map},
                               {input[2] / block_, block_ * input[3]},
                               {input[3] / block_, block_}}));
  }

 private:
  int64_t block_;
};

}  // namespace

void register_depth_to_space(OpRegistry& registry) {
  ops::add_versions(registry, {.name = "DepthToSpace",
                               .versions = {1, 11, 13},
                               .signature = "input:T -> output:T",
                               .create = make_operator<DepthToSpace>});
  ops::add_versions(registry, {.name = "SpaceToDepth",
                               .versions = {1, 13},
                               .signature = "input:T -> output:T",
                               .create = make_operator<SpaceToDepth>});
}

}  // namespace onnxrun
