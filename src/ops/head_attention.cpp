// onnxrun.HeadAttention: softmax(scale Q K^T + mask) V over the last two axes, made by a pass from the operators in
// which exporters write it. Q, K and V may have their axes in another order, which the kernels read and write in place:
// "q_axes" lists where the axes [..., queries, size] of Q are, "k_axes" and "v_axes" the same of [..., keys, size], and
// "y_axes" what Transpose's perm would be behind [..., queries, size]. The size is always the last axis. A mask of
// floats is added to the scores; where one of bools is false, or true with mask_forbids, "forbidden" replaces them.
// With "heads", "sizes" and "begins" Q, K and V are parts of the last axis of their inputs, which may be one value:
// from begins[i] on there are heads[i] times sizes[i] elements, which count as two axes.
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
        begins_(attributes.optional_integers("begins").value_or(std::vector<int64_t>{})),
        heads_(attributes.optional_integers("heads").value_or(std::vector<int64_t>{})),
        sizes_(attributes.optional_integers("sizes").value_or(std::vector<int64_t>{})),
        scale_(attributes.number("scale", 1)),
        forbidden_(attributes.number("forbidden", 0)),
        mask_forbids_(attributes.flag("mask_forbids", false)) {}

  void infer(InferContext& context) const override {
    const size_t rank = q_axes_.size();
    std::vector<DimShape> shapes;
    for (size_t i = 0; i < 3; ++i) {
      if (!context.shape(i).has_rank()) return;
      shapes.push_back(split(context.shape(i), i));
      if (shapes[i].rank() != rank) context.fail("Q, K and V must have " + std::to_string(rank) + " axes");
    }
    const DimShape q = arranged(shapes[0], q_axes_);
    const DimShape k = arranged(shapes[1], k_axes_);
    DimShape y = arranged(shapes[2], v_axes_);
    for (size_t axis = 0; axis + 2 < rank; ++axis) {
      if (ops::differ(q[axis], k[axis]) || ops::differ(q[axis], y[axis])) context.fail("the heads differ in number");
    }
    if (ops::differ(q[rank - 1], k[rank - 1]) || ops::differ(k[rank - 2], y[rank - 2])) {
      context.fail("Q, K and V do not fit each other");
    }
    if (context.has_input(kMask)) check_mask(context, q, k);
    for (size_t axis = 0; axis + 1 < rank; ++axis) y[axis] = q[axis];
    context.set_shape(0, arranged(y, y_axes_));
  }

  void plan(PlanContext& context) const override {
    std::vector<Shape> shapes;
    for (size_t i = 0; i < 3; ++i) shapes.push_back(split(context.input(i).shape, i).concrete());
    const std::vector<int64_t> q = arranged(shapes[0], q_axes_);
    const Shape& y = context.output(0).shape;
    const size_t rank = q.size();
    std::vector<int64_t> from_output(rank);
    for (size_t axis = 0; axis < rank; ++axis)
      from_output[static_cast<size_t>(y_axes_[axis])] = static_cast<int64_t>(axis);
    ops::AttentionLayout layout;
    layout.q = this->layout(context, 0, shapes[0], q_axes_);
    layout.k = this->layout(context, 1, shapes[1], k_axes_);
    layout.v = this->layout(context, 2, shapes[2], v_axes_);
    layout.y = strides(y, from_output, y.elements(rank - 2, rank));
    layout.batch = rank == 4 ? q[0] : 1;
    layout.queries = q[rank - 2];
    layout.head_size = q[rank - 1];
    layout.keys = arranged(shapes[1], k_axes_)[rank - 2];
    layout.v_head_size = y.back();
    ops::Attention attention;
    attention.q_heads = attention.kv_heads = q[rank - 3];
    attention.layout = layout;
    attention.scale = static_cast<double>(scale_);
    attention.forbidden = static_cast<double>(forbidden_);
    attention.mask_forbids = mask_forbids_;
    if (context.has_input(kMask)) attention.mask = kMask;
    ops::plan_attention(context, attention);
  }

 private:
  // The mask broadcasts to the scores [..., queries, keys].
  static void check_mask(const InferContext& context, const DimShape& q, const DimShape& k) {
    const DimShape& mask = context.shape(kMask);
    const size_t rank = q.rank();
    if (!mask.has_rank()) return;
    if (mask.rank() > rank) context.fail("the mask has more axes than the scores");
    for (size_t i = 1; i <= mask.rank(); ++i) {
      const Dim& extent = mask[mask.rank() - i];
      const Dim& score = i == 1 ? k[rank - 2] : q[rank - i];
      if (!extent.is(1) && ops::differ(extent, score)) {
        context.fail("the mask " + mask.to_string() + " does not fit " + score.to_string() + " scores");
      }
    }
  }

  // The shape of operand i with its heads apart.
  DimShape split(const DimShape& shape, size_t i) const {
    if (heads_.empty()) return shape;
    std::vector<Dim> dims(shape.begin(), shape.end());
    if (dims.empty()) return shape;
    dims.back() = heads_[i];
    dims.emplace_back(sizes_[i]);
    return dims;
  }

  static DimShape arranged(const DimShape& shape, const std::vector<int64_t>& axes) {
    std::vector<Dim> dims(axes.size());
    for (size_t i = 0; i < axes.size(); ++i) dims[i] = shape[static_cast<size_t>(axes[i])];
    return dims;
  }
  static std::vector<int64_t> arranged(const Shape& shape, const std::vector<int64_t>& axes) {
    std::vector<int64_t> extents(axes.size());
    for (size_t i = 0; i < axes.size(); ++i) extents[i] = shape[static_cast<size_t>(axes[i])];
    return extents;
  }

  // The strides of batch entries, heads and rows. The last two axes may be a part of an axis of `width` elements.
  static ops::HeadLayout strides(const Shape& shape, const std::vector<int64_t>& axes, int64_t width) {
    const size_t rank = axes.size();
    const auto stride = [&](size_t i) {
      const auto axis = static_cast<size_t>(axes[i]);
      return axis + 2 < rank ? shape.elements(axis + 1, rank - 2) * width : shape.elements(axis + 1, rank);
    };
    return {rank == 4 ? stride(0) : 0, stride(rank - 3), stride(rank - 2)};
  }
  ops::HeadLayout layout(const PlanContext& context, size_t i, const Shape& shape,
                         const std::vector<int64_t>& axes) const {
    if (heads_.empty()) return strides(shape, axes, shape.elements(axes.size() - 2, axes.size()));
    ops::HeadLayout layout = strides(shape, axes, context.input(i).shape.back());
    layout.begin = begins_[i];
    return layout;
  }

  std::vector<int64_t> q_axes_, k_axes_, v_axes_, y_axes_;
  std::vector<int64_t> begins_, heads_, sizes_;  // empty, or of Q, K and V
  float scale_, forbidden_;
  bool mask_forbids_;
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
