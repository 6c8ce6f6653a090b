#include "ops/support/integer_matmul.h"

#include <algorithm>
#include <string>

#include "onnxrun/error.h"
#include "ops/support/strided_loop.h"

namespace onnxrun::ops {
namespace {

Shape part(const Shape& shape, size_t end) {
  return Shape(std::vector<int64_t>(shape.begin(), shape.begin() + static_cast<ptrdiff_t>(end)));
}

IntegerMatrices matrices_of(const PlanContext& context, size_t input, std::optional<size_t> zero, size_t count,
                            size_t rows, size_t columns, bool is_first) {
  IntegerMatrices matrices;
  matrices.input = input;
  matrices.zero_input = zero;
  matrices.row_stride = static_cast<ptrdiff_t>(columns);
  for (size_t i = 0; i < count; ++i) matrices.offsets.push_back(i * rows * columns);
  if (!zero) return matrices;
  MatrixParameter parameter = matrix_parameter(context.input(*zero).shape, context.input(input).shape, is_first);
  matrices.zero_offsets = std::move(parameter.offsets);
  matrices.zero_step = static_cast<ptrdiff_t>(parameter.step);
  return matrices;
}

}  // namespace

MatrixParameter matrix_parameter(const Shape& parameter, const Shape& data, bool is_first) {
  const size_t rank = data.rank();
  const size_t batch_rank = rank < 2 ? 0 : rank - 2;
  const Shape batch = part(data, batch_rank);
  const auto count = static_cast<size_t>(batch.elements());
  if (parameter.elements() == 1) return {std::vector<size_t>(count, 0), 0};
  const int64_t extent = rank < 2 ? 1 : data[is_first ? rank - 2 : rank - 1];
  if (parameter.rank() == 1 && parameter[0] == extent) return {std::vector<size_t>(count, 0), 1};

  bool fits = rank >= 2 && parameter.rank() == rank && parameter[is_first ? rank - 1 : rank - 2] == 1;
  const int64_t own = fits ? parameter[is_first ? rank - 2 : rank - 1] : 1;
  fits = fits && (own == 1 || own == extent);
  for (size_t axis = 0; fits && axis < batch_rank; ++axis) fits = parameter[axis] == 1 || parameter[axis] == data[axis];
  if (!fits) {
    throw Error(ErrorCode::invalid_model, "scales or zero points of shape " + parameter.to_string() +
                                              " do not fit matrices of shape " + data.to_string());
  }
  MatrixParameter result{{}, own == 1 ? size_t{0} : 1};
  const auto strides = broadcast_strides(part(parameter, batch_rank), batch);
  StridedLoop<1> loop;
  for (size_t axis = 0; axis < batch_rank; ++axis) loop.add_axis(batch[axis], {strides[axis]});
  loop.for_outer(
      0, loop.outer_count(0),
      [&](const auto& offset) { result.offsets.push_back(static_cast<size_t>(offset[0] * own)); }, 0);
  return result;
}

void check_matrix_parameter(const InferContext& context, size_t parameter, size_t data, bool is_first) {
  if (!context.has_input(parameter)) return;
  if (!context.shape(parameter).is_concrete() || !context.shape(data).is_concrete()) return;
  matrix_parameter(context.shape(parameter).concrete(), context.shape(data).concrete(), is_first);
}

IntegerProduct integer_matmul(const PlanContext& context, size_t a, std::optional<size_t> a_zero, size_t b,
                              std::optional<size_t> b_zero) {
  const MatMulExtents extents(context.input(a).shape, context.input(b).shape);
  IntegerProduct product;
  product.m = extents.m;
  product.n = extents.n;
  product.k = extents.k;
  product.a = matrices_of(context, a, a_zero, extents.a_matrices, extents.m, extents.k, true);
  product.b = matrices_of(context, b, b_zero, extents.b_matrices, extents.k, extents.n, false);
  product.a_matrix = extents.a_matrix;
  product.b_matrix = extents.b_matrix;
  return product;
}

void join_rows(IntegerProduct& product) {
  const auto& zeros = product.a.zero_offsets;
  const bool one_zero = std::all_of(zeros.begin(), zeros.end(), [](size_t offset) { return offset == 0; });
  if (product.b->offsets.size() != 1 || product.a.offsets.size() != product.a_matrix.size()) return;
  if (!one_zero || product.a.zero_step != 0 || product.a_matrix.empty()) return;
  product.m *= product.a_matrix.size();
  product.a.offsets.resize(1);
  if (!zeros.empty()) product.a.zero_offsets.resize(1);
  product.a_matrix.resize(1);
  product.b_matrix.resize(1);
}

}  // namespace onnxrun::ops
