#include "ops/support/attention_shapes.h"

#include <string>

namespace onnxrun::ops {
namespace {

struct Heads {
  Dim batch, heads, length, size;
};

Heads read(const InferContext& context, size_t i, int64_t heads) {
  const DimShape& shape = context.shape(i);
  if (shape.rank() == 4) return {shape[0], shape[1], shape[2], shape[3]};
  if (heads < 1) context.fail("inputs of rank 3 need the attributes 'q_num_heads' and 'kv_num_heads'");
  if (shape[2].is_number() && shape[2].number() % heads != 0) {
    context.fail("input " + std::to_string(i) + " of shape " + shape.to_string() + " cannot be divided into " +
                 std::to_string(heads) + " heads");
  }
  return {shape[0], heads, shape[1], exact_div(shape[2], heads)};
}

}  // namespace

std::optional<AttentionShapes> attention_shapes(const InferContext& context, int64_t q_heads, int64_t kv_heads) {
  for (size_t i = 0; i < 3; ++i) {
    const DimShape& shape = context.shape(i);
    if (!shape.has_rank()) return std::nullopt;
    if ((shape.rank() != 3 && shape.rank() != 4) || shape.rank() != context.shape(0).rank()) {
      context.fail("Q, K and V must all have rank 3 or 4, input " + std::to_string(i) + " has shape " +
                   shape.to_string());
    }
  }
  const Heads q = read(context, 0, q_heads);
  const Heads k = read(context, 1, kv_heads);
  const Heads v = read(context, 2, kv_heads);
  if (differ(q.batch, k.batch) || differ(q.batch, v.batch)) context.fail("Q, K and V differ in batch size");
  if (differ(q.size, k.size)) context.fail("Q and K differ in head size");
  if (differ(k.heads, v.heads) || differ(k.length, v.length)) context.fail("K and V differ in heads or length");
  if (q.heads.is_number() && k.heads.is_number() &&
      (k.heads.number() == 0 ? q.heads.number() != 0 : q.heads.number() % k.heads.number() != 0)) {
    context.fail(q.heads.to_string() + " heads of Q cannot share " + k.heads.to_string() + " of K and V");
  }
  AttentionShapes shapes = {q.batch, q.heads, k.heads, q.length, k.length, q.size, v.size, {}};
  shapes.output = context.shape(0).rank() == 4 ? DimShape{q.batch, q.heads, q.length, v.size}
                                               : DimShape{q.batch, q.length, q.heads * v.size};
  return shapes;
}

Dim past_length(const InferContext& context, size_t i, const AttentionShapes& shapes, const Dim& size) {
  const DimShape& past = context.shape(i);
  if (!past.has_rank()) return Dim::unknown();
  if (past.rank() != 4 || differ(past[0], shapes.batch) || differ(past[1], shapes.kv_heads) || differ(past[3], size)) {
    context.fail("input " + std::to_string(i) + " must have shape " +
                 DimShape{shapes.batch, shapes.kv_heads, Dim::unknown(), size}.to_string() + ", it has " +
                 past.to_string());
  }
  return past[2];
}

}  // namespace onnxrun::ops
