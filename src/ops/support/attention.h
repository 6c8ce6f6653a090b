#pragma once

#include <cstdint>
#include <limits>
#include <optional>

#include "graph/operator.h"
#include "ops/support/head_layout.h"

namespace onnxrun::ops {

// Where the rows of Q, K, V and the output lie, and how many there are.
struct AttentionLayout {
  HeadLayout q, k, v, y;
  int64_t batch = 0, queries = 0, keys = 0, head_size = 0, v_head_size = 0;
};

// Output 0 = softmax(scale Q K^T + masks) V for each head. Inputs 0, 1 and 2 are Q, K and V, all of them
// [batch, heads, length, size] or [batch, length, heads * size]. Several heads of Q may share one of K and V.
struct Attention {
  enum class Scores : uint8_t { raw, capped, masked, probabilities };

  int64_t q_heads = 0, kv_heads = 0;
  double scale = 1;
  double softcap = 0;  // 0: none
  bool is_causal = false;
  int64_t left_window = -1, right_window = -1;                  // negative: no bound
  double forbidden = -std::numeric_limits<double>::infinity();  // the score where a boolean mask is false
  bool in_double = false;                                       // compute in double whatever the types
  std::optional<AttentionLayout> layout;                        // where it is not as the shapes tell
  // Inputs. The mask is added, or forbids where it is false; it broadcasts to [batch, heads, length, keys].
  std::optional<size_t> mask, past_key, past_value, valid_keys;
  bool pads_mask = false;  // a shorter last axis of the mask forbids what is behind, even one of extent 1
  // Outputs.
  std::optional<size_t> present_key, present_value, scores;
  Scores score_stage = Scores::raw;
};

// Plans it for all float types: float64 in double, others in float, rounded once.
void plan_attention(PlanContext& context, const Attention& attention);

}  // namespace onnxrun::ops
