// LinearAttention: https://onnx.ai/onnx/operators/onnx__LinearAttention.html, version 27. Computed in float token by
// token, whatever chunk_size says. Without past_state, present_state has the type of the query.
#include <algorithm>
#include <cmath>

#include "base/checked.h"
#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/attention_shapes.h"
#include "ops/support/float_block.h"
#include "ops/support/shape_checks.h"

namespace onnxrun {
namespace {

enum Input : size_t { kQuery, kKey, kValue, kPast, kDecay, kBeta };

constexpr int64_t kColumns = 64;  // columns of a state, each of which goes its own way, that a tile computes

struct Extents {
  int64_t length, q_heads, kv_heads, key_size, value_size;
  int64_t decays;  // elements of a token's decay: kv_heads, or kv_heads * key_size; 0: none
  int64_t betas;   // the same for beta: 1 or kv_heads
};

class LinearAttention : public Operator {
 public:
  explicit LinearAttention(AttributeReader& attributes)
      : q_heads_(attributes.required_integer("q_num_heads")),
        kv_heads_(attributes.required_integer("kv_num_heads")),
        scale_(attributes.number("scale", 0)) {
    const std::string rule = attributes.one_of("update_rule", {"gated_delta", "linear", "gated", "delta"});
    decays_ = rule == "gated" || rule == "gated_delta";
    corrects_ = rule == "delta" || rule == "gated_delta";
    attributes.ignore("chunk_size");
    if (q_heads_ < 1 || kv_heads_ < 1 || q_heads_ % kv_heads_ != 0) {
      throw Error(ErrorCode::invalid_model, "attribute 'q_num_heads' must be a positive multiple of 'kv_num_heads'");
    }
  }

  void infer(InferContext& context) const override {
    if (context.has_input(kDecay) != decays_) context.fail(decays_ ? "decay is missing" : "the rule has no decay");
    if (context.has_input(kBeta) != corrects_) context.fail(corrects_ ? "beta is missing" : "the rule has no beta");
    for (const size_t i : {kQuery, kKey, kValue, kDecay, kBeta}) {
      if (context.has_input(i) && context.shape(i).has_rank() && context.shape(i).rank() != 3) {
        context.fail("input " + std::to_string(i) + " must have rank 3, its shape is " + context.shape(i).to_string());
      }
    }
    context.set_dtype(0, context.dtype(kQuery));
    context.set_dtype(1, context.dtype(context.has_input(kPast) ? kPast : kQuery));
    const auto shapes = ops::attention_shapes(context, q_heads_, kv_heads_);
    if (!shapes) return;
    if (ops::differ(shapes->queries, shapes->keys)) context.fail("the query and the key differ in length");
    context.set_shape(0, shapes->output);
    context.set_shape(1, {shapes->batch, shapes->kv_heads, shapes->head_size, shapes->v_head_size});
    if (context.has_input(kPast) &&
        ops::differ(ops::past_length(context, kPast, *shapes, shapes->v_head_size), shapes->head_size)) {
      context.fail("past_state of shape " + context.shape(kPast).to_string() + " does not fit the heads");
    }
    check_tokens(context, kDecay, *shapes, {kv_heads_, shapes->head_size * kv_heads_});
    check_tokens(context, kBeta, *shapes, {kv_heads_, 1});
  }

  void plan(PlanContext& context) const override {
    const Shape& q = context.input(kQuery).shape;
    Extents e = {};
    e.length = q[1];
    e.q_heads = q_heads_;
    e.kv_heads = kv_heads_;
    e.key_size = q[2] / q_heads_;
    e.value_size = context.input(kValue).shape[2] / kv_heads_;
    if (decays_) e.decays = context.input(kDecay).shape[2];
    if (corrects_) e.betas = context.input(kBeta).shape[2];
    const double scale = scale_ == 0 ? 1 / std::sqrt(static_cast<double>(std::max<int64_t>(1, e.key_size)))
                                     : static_cast<double>(scale_);
    const int64_t pieces = ceil_div(e.value_size, kColumns);
    context.scratch(static_cast<size_t>(e.key_size * (kColumns + 3)) * sizeof(float));
    const int64_t group = e.q_heads / e.kv_heads;
    const double cost = static_cast<double>(e.length * e.key_size * std::min(kColumns, e.value_size)) *
                        (0.3 + 0.1 * static_cast<double>(group));
    const DType dtype = context.input(kQuery).dtype;
    const DType state_type = context.output(1).dtype;
    const bool has_past = context.has_input(kPast);
    context.phase(q[0] * kv_heads_ * pieces, cost + 20, [=](const TileContext& tile) {
      Head head{e, dtype, state_type, has_past, static_cast<float>(scale)};
      head.b = tile.tile / pieces / e.kv_heads;
      head.h = tile.tile / pieces % e.kv_heads;
      head.first = tile.tile % pieces * kColumns;
      head.columns = std::min(kColumns, e.value_size - head.first);
      head.run(tile);
    });
    context.flush_denormals();
  }

 private:
  // Columns [first, first + columns) of the state of one head.
  struct Head {
    Extents e;
    DType dtype, state_type;
    bool has_past;
    float scale;
    int64_t b = 0, h = 0, first = 0, columns = 0;

    void run(const TileContext& tile) const {
      auto* state = reinterpret_cast<float*>(tile.scratch);
      float* key = state + e.key_size * kColumns;
      const int64_t state_at = (b * e.kv_heads + h) * e.key_size * e.value_size + first;
      for (int64_t d = 0; d < e.key_size; ++d) {
        float* row = state + d * kColumns;
        if (has_past) {
          ops::load_floats(state_type, tile.input(kPast), state_at + d * e.value_size, columns, row);
        } else {
          std::fill_n(row, columns, 0.0F);
        }
      }
      for (int64_t t = 0; t < e.length; ++t) step(tile, b * e.length + t, state, key);
      for (int64_t d = 0; tile.output(1) && d < e.key_size; ++d) {
        ops::store_floats(state_type, state + d * kColumns, tile.output(1), state_at + d * e.value_size, columns);
      }
    }

    void step(const TileContext& tile, int64_t token, float* state, float* key) const {
      float value[kColumns];
      ops::load_floats(dtype, tile.input(kKey), (token * e.kv_heads + h) * e.key_size, e.key_size, key);
      ops::load_floats(dtype, tile.input(kValue), (token * e.kv_heads + h) * e.value_size + first, columns, value);
      if (e.decays > 0) decay(tile, token, state, key + e.key_size);
      if (e.betas > 0) {
        float beta = 0;
        ops::load_floats(dtype, tile.input(kBeta), token * e.betas + (e.betas == 1 ? 0 : h), 1, &beta);
        float retrieved[kColumns];
        read(state, key, retrieved);
        for (int64_t m = 0; m < columns; ++m) value[m] = beta * (value[m] - retrieved[m]);
      }
      for (int64_t d = 0; d < e.key_size; ++d) {
        float* row = state + d * kColumns;
        for (int64_t m = 0; m < columns; ++m) row[m] += key[d] * value[m];
      }
      const int64_t group = e.q_heads / e.kv_heads;
      for (int64_t q_head = h * group; q_head < (h + 1) * group; ++q_head) {
        float* query = key + 2 * e.key_size;
        float result[kColumns];
        ops::load_floats(dtype, tile.input(kQuery), (token * e.q_heads + q_head) * e.key_size, e.key_size, query);
        read(state, query, result);
        for (int64_t m = 0; m < columns; ++m) result[m] *= scale;
        ops::store_floats(dtype, result, tile.output(0), (token * e.q_heads + q_head) * e.value_size + first, columns);
      }
    }

    void decay(const TileContext& tile, int64_t token, float* state, float* factors) const {
      const bool by_head = e.decays == e.kv_heads;
      const int64_t n = by_head ? 1 : e.key_size;
      ops::load_floats(dtype, tile.input(kDecay), token * e.decays + h * n, n, factors);
      for (int64_t d = 0; d < n; ++d) factors[d] = std::exp(factors[d]);
      for (int64_t d = 0; d < e.key_size; ++d) {
        float* row = state + d * kColumns;
        const float factor = factors[by_head ? 0 : d];
        for (int64_t m = 0; m < columns; ++m) row[m] *= factor;
      }
    }

    // result[m] = the sum of vector[d] state[d, m].
    void read(const float* state, const float* vector, float* result) const {
      std::fill_n(result, columns, 0.0F);
      for (int64_t d = 0; d < e.key_size; ++d) {
        const float* row = state + d * kColumns;
        for (int64_t m = 0; m < columns; ++m) result[m] += vector[d] * row[m];
      }
    }
  };

  // [batch, length, one of `sizes`].
  static void check_tokens(const InferContext& context, size_t i, const ops::AttentionShapes& shapes,
                           std::initializer_list<Dim> sizes) {
    if (!context.has_input(i) || !context.shape(i).has_rank()) return;
    const DimShape& shape = context.shape(i);
    const bool fits =
        !ops::differ(shape[0], shapes.batch) && !ops::differ(shape[1], shapes.queries) &&
        std::any_of(sizes.begin(), sizes.end(), [&](const Dim& size) { return !ops::differ(shape[2], size); });
    if (!fits)
      context.fail("input " + std::to_string(i) + " of shape " + shape.to_string() + " does not fit the heads");
  }

  int64_t q_heads_, kv_heads_;
  float scale_;
  bool decays_, corrects_;
};

}  // namespace

void register_linear_attention(OpRegistry& registry) {
  const DTypeSet types = {DType::float32, DType::float16, DType::bfloat16};
  registry.add({.name = "LinearAttention",
                .versions = {27},
                .signature = "query:T, key:T, value:T, past_state:S?, decay:T?, beta:T? -> output:T, present_state:S",
                .types = {{.name = "T", .tensors = types}, {.name = "S", .tensors = types}},
                .create = make_operator<LinearAttention>});
}

}  // namespace onnxrun
