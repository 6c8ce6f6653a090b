// InstanceNormalization (versions 1, 6, 22) and GroupNormalization (18: scale and bias for each group, 21: for each
// channel): https://onnx.ai/onnx/operators/onnx__InstanceNormalization.html,
// https://onnx.ai/onnx/operators/onnx__GroupNormalization.html. Computed in float, float64 in double, whatever
// stash_type says, and rounded once.
#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/elementwise.h"
#include "ops/support/row_normalization.h"

namespace onnxrun {
namespace {

void check_parameters(const InferContext& context, const Dim& count) {
  for (size_t i = 1; i < 3; ++i) {
    const DimShape& shape = context.shape(i);
    if (shape.has_rank() && (shape.rank() != 1 || (shape[0].is_number() && count.is_number() && shape[0] != count))) {
      context.fail("input " + std::to_string(i) + " must have shape [" + count.to_string() + "], it has " +
                   shape.to_string());
    }
  }
}

// [N, C, ...] as [N, groups, channels of a group, elements of a map].
std::vector<int64_t> grouped(const Shape& x, int64_t groups) {
  return {x[0], groups, x[1] / groups, x.elements(2, x.rank())};
}

void check_rank(const InferContext& context) {
  const DimShape& x = context.shape(0);
  if (x.has_rank() && x.rank() < 2) {
    context.fail("the input must be [N, C, ...], its rank is " + std::to_string(x.rank()));
  }
}

class InstanceNormalization : public Operator {
 public:
  explicit InstanceNormalization(AttributeReader& attributes) : epsilon_(attributes.number("epsilon", 1e-5F)) {
    if (attributes.version() < 6) attributes.ignore("consumed_inputs");
  }

  void infer(InferContext& context) const override {
    ops::infer_same(context);
    check_rank(context);
    check_parameters(context, context.shape(0).has_rank() ? context.shape(0)[1] : Dim::unknown());
  }

  void plan(PlanContext& context) const override {
    const Shape& x = context.input(0).shape;
    const std::vector<ptrdiff_t> strides = {0, 1, 0};
    ops::RowNormalization rows({x[0], x[1], x.elements(2, x.rank())}, 2, strides, strides);
    rows.epsilon = static_cast<double>(epsilon_);
    rows.bias = 2;
    ops::plan_row_normalization(context, rows);
  }

 private:
  float epsilon_;
};

class GroupNormalization : public Operator {
 public:
  explicit GroupNormalization(AttributeReader& attributes)
      : by_channel_(attributes.version() >= 21),
        groups_(attributes.required_integer("num_groups")),
        epsilon_(attributes.number("epsilon", 1e-5F)) {
    if (groups_ < 1) throw Error(ErrorCode::invalid_model, "attribute 'num_groups' must be positive");
    if (by_channel_ && !kFloats.contains(attributes.dtype("stash_type", DType::float32))) {
      throw Error(ErrorCode::invalid_model, "attribute 'stash_type' must be a float type");
    }
  }

  void infer(InferContext& context) const override {
    ops::infer_same(context);
    check_rank(context);
    const Dim channels = context.shape(0).has_rank() ? context.shape(0)[1] : Dim::unknown();
    if (channels.is_number() && channels.number() % groups_ != 0) {
      context.fail(channels.to_string() + " channels cannot be divided into " + std::to_string(groups_) + " groups");
    }
    check_parameters(context, by_channel_ ? channels : Dim(groups_));
  }

  void plan(PlanContext& context) const override {
    const std::vector<int64_t> extents = grouped(context.input(0).shape, groups_);
    const std::vector<ptrdiff_t> strides =
        by_channel_ ? std::vector<ptrdiff_t>{0, extents[2], 1, 0} : std::vector<ptrdiff_t>{0, 1, 0, 0};
    ops::RowNormalization rows(extents, 2, strides, strides);
    rows.epsilon = static_cast<double>(epsilon_);
    rows.bias = 2;
    ops::plan_row_normalization(context, rows);
  }

 private:
  bool by_channel_;
  int64_t groups_;
  float epsilon_;
};

}  // namespace

void register_group_normalization(OpRegistry& registry) {
  for (const auto& [versions, types] :
       {std::pair<std::vector<int64_t>, DTypeSet>{{1, 6}, kIeeeFloats}, {{22}, kFloats}}) {
    registry.add({.name = "InstanceNormalization",
                  .versions = versions,
                  .signature = "input:T, scale:T, B:T -> output:T",
                  .types = {{.name = "T", .tensors = types}},
                  .create = make_operator<InstanceNormalization>});
  }
  registry.add({.name = "GroupNormalization",
                .versions = {18, 21},
                .signature = "X:T, scale:T, bias:T -> Y:T",
                .types = {{.name = "T", .tensors = kFloats}},
                .create = make_operator<GroupNormalization>});
}

}  // namespace onnxrun
