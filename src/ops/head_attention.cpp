// onnxrun.HeadAttention: softmax(scale Q K^T + mask) V over the last two axes, made by a pass from the operators in
// which exporters write it. Q, K and V may have their axes in another order, which the kernels read and write in place:
// "q_axes" lists where the axes [..., queries, size] of Q are, "k_axes" and "v_axes" the same of [..., keys, size], and
// "y_axes" what Transpose's perm would be behind [..., queries, size]. The size is always the last axis. A mask of
// floats is added to the scores; where one of bools is false, "forbidden" replaces them.
#include <numeric>

#include "graph/registry.h"
#include "ops/support/attention.h"
#include "ops/support/shape_checks.h"

namespace onnxrun {
namespace {

constexpr size_t kMask = 3;

class HeadAttention : public Operator {
 public:
  explicit HeadAttention(AttributeReader& attributes)
      : q_axes_(attributes.integers("q_axes")),
        k_axes_(attributes.integers("k_axes")),
        v_axes_(attributes.integers("v_axes")),
        y_axes_(attributes.integers("y_axes")),
        scale_(attributes.number("scale", 1)),
        forbidden_(attributes.number("forbidden", 0)) {}

  void infer(InferContext& context) const override {
    const size_t rank = q_axes_.size();
    for (size_t i = 0; i < 3; ++i) {
      if (!context.shape(i).has_rank()) return;
      if (context.shape(i).rank() != rank) context.fail("Q, K and V must have " + std::to_string(rank) + " axes");
    }
    const DimShape q = arranged(context.shape(0), q_axes_);
    const DimShape k = arranged(context.shape(1), k_axes_);
    DimShape y = arranged(context.shape(2), v_axes_);
    for (size_t axis = 0; axis + 2 < rank; ++axis) {
      if (ops::differ(q[axis], k[axis]) || ops::differ(q[axis], y[axis])) context.fail("the heads differ in number");
    }
    if (ops::differ(q[rank - 1], k[rank - 1]) || ops::differ(k[rank - 2], y[rank - 2])) {
      context.fail("Q, K and V do not fit each other");
    }
    for (size_t axis = 0; axis + 1 < rank; ++axis) y[axis] = q[axis];
    context.set_shape(0, arranged(y, y_axes_));
  }

  void plan(PlanContext& context) const override {
    const std::vector<int64_t> q = arranged(context.input(0).shape, q_axes_);
    const Shape& y = context.output(0).shape;
    const size_t rank = q.size();
    std::vector<int64_t> from_output(rank);
    for (size_t axis = 0; axis < rank; ++axis)
      from_output[static_cast<size_t>(y_axes_[axis])] = static_cast<int64_t>(axis);
    ops::AttentionLayout layout;
    layout.q = heads(context.input(0).shape, q_axes_);
    layout.k = heads(context.input(1).shape, k_axes_);
    layout.v = heads(context.input(2).shape, v_axes_);
    layout.y = heads(y, from_output);
    layout.batch = rank == 4 ? q[0] : 1;
    layout.queries = q[rank - 2];
    layout.head_size = q[rank - 1];
    layout.keys = arranged(context.input(1).shape, k_axes_)[rank - 2];
    layout.v_head_size = y.back();
    ops::Attention attention;
    attention.q_heads = attention.kv_heads = q[rank - 3];
    attention.layout = layout;
    attention.scale = static_cast<double>(scale_);
    attention.forbidden = static_cast<double>(forbidden_);
    if (context.has_input(kMask)) attention.mask = kMask;
    ops::plan_attention(context, attention);
  }

 private:
  static DimShape arranged(const DimShape& shape, const std::vector<int64_t>& axes) {
    std::vector<Dim> dims;
    for (const int64_t axis : axes) dims.push_back(shape[static_cast<size_t>(axis)]);
    return dims;
  }
  static std::vector<int64_t> arranged(const Shape& shape, const std::vector<int64_t>& axes) {
    std::vector<int64_t> extents;
    for (const int64_t axis : axes) extents.push_back(shape[static_cast<size_t>(axis)]);
    return extents;
  }

  // The strides of batch entries, heads and rows.
  static ops::HeadLayout heads(const Shape& shape, const std::vector<int64_t>& axes) {
    const auto stride = [&](size_t axis) { return shape.elements(static_cast<size_t>(axes[axis]) + 1, shape.rank()); };
    const size_t rank = axes.size();
    return {rank == 4 ? stride(0) : 0, stride(rank - 3), stride(rank - 2)};
  }

  std::vector<int64_t> q_axes_, k_axes_, v_axes_, y_axes_;
  float scale_, forbidden_;
};

}  // namespace

void register_head_attention(OpRegistry& registry) {
  registry.add({.domain = "onnxrun",
                .name = "HeadAttention",
                .versions = {1},
                .signature = "Q:T, K:T, V:T, mask:U? -> Y:T",
                .types = {{.name = "T", .tensors = {DType::float32}},
                          {.name = "U", .tensors = {DType::float32, DType::boolean}}},
                .create = make_operator<HeadAttention>});
}

}  // namespace onnxrun
