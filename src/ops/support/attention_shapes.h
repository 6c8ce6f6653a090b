#pragma once

#include <cstdint>
#include <optional>

#include "graph/operator.h"

namespace onnxrun::ops {

// What Q, K and V, inputs 0, 1 and 2 of an attention operator, tell of its extents.
struct AttentionShapes {
  Dim batch, q_heads, kv_heads, queries, keys, head_size, v_head_size;
  DimShape output;  // of the rank of Q
};

// Reads and checks them: [batch, heads, length, size], or [batch, length, heads * size] with the numbers of heads from
// attributes (0: absent). Nothing where a rank is not known. \throws Error(invalid_model).
std::optional<AttentionShapes> attention_shapes(const InferContext& context, int64_t q_heads, int64_t kv_heads);

// The length of the past in input `i` of shape [batch, kv_heads, length, size]. \throws Error(invalid_model).
Dim past_length(const InferContext& context, size_t i, const AttentionShapes& shapes, const Dim& size);

// Whether both are numbers, and not the same.
inline bool differ(const Dim& a, const Dim& b) { return a.is_number() && b.is_number() && a != b; }

}  // namespace onnxrun::ops
