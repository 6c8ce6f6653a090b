// MatMul: https://onnx.ai/onnx/operators/onnx__MatMul.html, versions 1, 9, 13: numpy's matmul.
#include "graph/registry.h"
#include "ops/support/matrix_multiply.h"
#include "ops/support/shape_rules.h"
#include "ops/support/strided_loop.h"

namespace onnxrun {
namespace {

// The batch axes: all but the last two.
template <class AnyShape>
std::vector<std::decay_t<decltype(std::declval<AnyShape>()[0])>> batch_axes(const AnyShape& shape) {
  return {shape.begin(), shape.end() - static_cast<ptrdiff_t>(std::min<size_t>(2, shape.rank()))};
}

class MatMul : public Operator {
 public:
  explicit MatMul(AttributeReader& /*attributes*/) {}

  void infer(InferContext& context) const override {
    const DimShape& a = context.shape(0);
    const DimShape& b = context.shape(1);
    if (!a.has_rank() || !b.has_rank()) return;
    if (a.rank() == 0 || b.rank() == 0) context.fail("scalars cannot be multiplied as matrices");
    const Dim& k = a[a.rank() - 1];
    const Dim& b_k = b[b.rank() == 1 ? 0 : b.rank() - 2];
    if (k.is_number() && b_k.is_number() && !(k == b_k)) {
      context.fail("the inner extents " + k.to_string() + " and " + b_k.to_string() + " differ");
    }
    std::vector<Dim> shape = ops::broadcast(DimShape(batch_axes(a)), DimShape(batch_axes(b))).dims();
    if (a.rank() > 1) shape.push_back(a[a.rank() - 2]);
    if (b.rank() > 1) shape.push_back(b[b.rank() - 1]);
    context.set_shape(0, std::move(shape));
  }

  void plan(PlanContext& context) const override {
    const Shape& a = context.input(0).shape;
    const Shape& b = context.input(1).shape;
    ops::MatrixMultiply product;
    product.m = a.rank() == 1 ? 1 : static_cast<size_t>(a[a.rank() - 2]);
    product.k = static_cast<size_t>(a.back());
    product.n = b.rank() == 1 ? 1 : static_cast<size_t>(b.back());
    product.a_row_stride = static_cast<ptrdiff_t>(product.k);
    product.b_row_stride = static_cast<ptrdiff_t>(product.n);
    const Shape a_batch{std::span<const int64_t>(batch_axes(a))};
    const Shape b_batch{std::span<const int64_t>(batch_axes(b))};
    if (b_batch.elements() == 1) {
      // One matrix for all: the batch is more rows.
      product.m *= static_cast<size_t>(a_batch.elements());
      product.a_offsets = {0};
      product.b_offsets = {0};
    } else {
      set_offsets(product, a_batch, b_batch);
    }
    ops::plan_matrix_multiply(context, product);
  }

 private:
  static void set_offsets(ops::MatrixMultiply& product, const Shape& a_batch, const Shape& b_batch) {
    const Shape batch = ops::broadcast(a_batch, b_batch);
    ops::StridedLoop<2> loop;
    const auto a_strides = ops::broadcast_strides(a_batch, batch);
    const auto b_strides = ops::broadcast_strides(b_batch, batch);
    loop.add_axis(batch.elements() == 0 ? 0 : 1, {0, 0});
    for (size_t axis = 0; axis < batch.rank(); ++axis) loop.add_axis(batch[axis], {a_strides[axis], b_strides[axis]});
    const int64_t inner = loop.inner_extent();
    const auto steps = loop.inner_strides();
    loop.for_outer(0, loop.outer_count(), [&](const auto& offsets) {
      for (int64_t i = 0; i < inner; ++i) {
        product.a_offsets.push_back(static_cast<size_t>(offsets[0] + i * steps[0]) * product.m * product.k);
        product.b_offsets.push_back(static_cast<size_t>(offsets[1] + i * steps[1]) * product.k * product.n);
      }
    });
  }
};

}  // namespace

void register_matmul(OpRegistry& registry) {
  const DTypeSet wide = {DType::int32, DType::int64, DType::uint32, DType::uint64};
  const std::pair<int64_t, DTypeSet> versions[] = {{1, kIeeeFloats}, {9, kIeeeFloats | wide}, {13, kFloats | wide}};
  for (const auto& [version, types] : versions) {
    registry.add({.name = "MatMul",
                  .versions = {version},
                  .signature = "A:T, B:T -> Y:T",
                  .types = {{.name = "T", .tensors = types}},
                  .create = make_operator<MatMul>});
  }
}

}  // namespace onnxrun
