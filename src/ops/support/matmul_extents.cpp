#include "ops/support/matmul_extents.h"

#include <algorithm>
#include <string>

#include "onnxrun/error.h"
#include "ops/support/shape_rules.h"
#include "ops/support/strided_loop.h"

namespace onnxrun::ops {
namespace {

// The batch axes: all but the last two.
template <class AnyShape>
std::vector<std::decay_t<decltype(std::declval<AnyShape>()[0])>> batch_axes(const AnyShape& shape) {
  return {shape.begin(), shape.end() - static_cast<ptrdiff_t>(std::min<size_t>(2, shape.rank()))};
}

}  // namespace

DimShape matmul_shape(const DimShape& a, const DimShape& b) {
  if (!a.has_rank() || !b.has_rank()) return DimShape::unknown();
  if (a.rank() == 0 || b.rank() == 0) {
    throw Error(ErrorCode::invalid_model, "scalars cannot be multiplied as matrices");
  }
  const Dim& k = a[a.rank() - 1];
  const Dim& b_k = b[b.rank() == 1 ? 0 : b.rank() - 2];
  if (k.is_number() && b_k.is_number() && !(k == b_k)) {
    throw Error(ErrorCode::invalid_model, "the inner extents " + k.to_string() + " and " + b_k.to_string() + " differ");
  }
  std::vector<Dim> shape = broadcast(DimShape(batch_axes(a)), DimShape(batch_axes(b))).dims();
  if (a.rank() > 1) shape.push_back(a[a.rank() - 2]);
  if (b.rank() > 1) shape.push_back(b[b.rank() - 1]);
  return shape;
}

MatMulExtents::MatMulExtents(const Shape& a, const Shape& b) {
  m = a.rank() == 1 ? 1 : static_cast<size_t>(a[a.rank() - 2]);
  k = static_cast<size_t>(a.back());
  n = b.rank() == 1 ? 1 : static_cast<size_t>(b.back());
  const Shape a_batch{std::span<const int64_t>(batch_axes(a))};
  const Shape b_batch{std::span<const int64_t>(batch_axes(b))};
  a_matrices = static_cast<size_t>(a_batch.elements());
  b_matrices = static_cast<size_t>(b_batch.elements());
  const Shape batch = broadcast(a_batch, b_batch);
  StridedLoop<2> loop;
  const auto a_strides = broadcast_strides(a_batch, batch);
  const auto b_strides = broadcast_strides(b_batch, batch);
  loop.add_axis(batch.elements() == 0 ? 0 : 1, {0, 0});
  for (size_t axis = 0; axis < batch.rank(); ++axis) loop.add_axis(batch[axis], {a_strides[axis], b_strides[axis]});
  loop.for_outer(
      0, loop.outer_count(0),
      [&](const auto& offsets) {
        a_matrix.push_back(static_cast<size_t>(offsets[0]));
        b_matrix.push_back(static_cast<size_t>(offsets[1]));
      },
      0);
}

}  // namespace onnxrun::ops
