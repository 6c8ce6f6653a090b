// Attention: https://onnx.ai/onnx/operators/onnx__Attention.html, versions 23, 24 (nonpad_kv_seqlen, short masks), 25
// (windows). Computed in float, in double where a type or softmax_precision is, and rounded once. What a mask forbids
// is left out whatever the score; a row without keys gives zeros.
#include "ops/support/attention.h"

#include <algorithm>
#include <cmath>

#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/attention_shapes.h"
#include "ops/support/shape_checks.h"

namespace onnxrun {
namespace {

enum Input : size_t { kQ, kK, kV, kMask, kPastKey, kPastValue, kValidKeys };
enum Output : size_t { kY, kPresentKey, kPresentValue, kScores };

class Attention : public Operator {
 public:
  explicit Attention(AttributeReader& attributes)
      : version_(attributes.version()),
        is_causal_(attributes.flag("is_causal", false)),
        q_heads_(attributes.integer("q_num_heads", 0)),
        kv_heads_(attributes.integer("kv_num_heads", 0)),
        stage_(attributes.integer("qk_matmul_output_mode", 0)),
        softcap_(attributes.number("softcap", 0)),
        precision_(attributes.dtype("softmax_precision", DType::float32)) {
    if (attributes.has("scale")) scale_ = attributes.number("scale", 1);
    if (version_ >= 25) {
      left_window_ = window(attributes, "left_window_size");
      right_window_ = window(attributes, "right_window_size");
    }
    if (stage_ < 0 || stage_ > 3) refuse("attribute 'qk_matmul_output_mode' must be 0, 1, 2 or 3");
    if (q_heads_ < 0 || kv_heads_ < 0) refuse("attributes 'q_num_heads' and 'kv_num_heads' must be positive");
    if (!kFloats.contains(precision_)) refuse("attribute 'softmax_precision' must be a float type");
  }

  void infer(InferContext& context) const override {
    if (context.has_input(kPastKey) != context.has_input(kPastValue)) {
      context.fail("past_key and past_value must be given together");
    }
    if (context.has_input(kValidKeys) && context.has_input(kPastKey)) {
      context.fail("nonpad_kv_seqlen cannot be given together with past_key and past_value");
    }
    context.set_dtype(kY, context.dtype(kQ));
    context.set_dtype(kPresentKey, context.dtype(kK));
    context.set_dtype(kPresentValue, context.dtype(kV));
    context.set_dtype(kScores, context.dtype(kQ));
    const auto shapes = ops::attention_shapes(context, q_heads_, kv_heads_);
    if (!shapes) return;
    Dim keys = shapes->keys;
    if (context.has_input(kPastKey)) {
      const Dim past = ops::past_length(context, kPastKey, *shapes, shapes->head_size);
      const Dim past_values = ops::past_length(context, kPastValue, *shapes, shapes->v_head_size);
      if (ops::differ(past, past_values)) context.fail("past_key and past_value differ in length");
      keys = keys + (past.is_number() ? past : past_values);
    }
    context.set_shape(kY, shapes->output);
    context.set_shape(kPresentKey, {shapes->batch, shapes->kv_heads, keys, shapes->head_size});
    context.set_shape(kPresentValue, {shapes->batch, shapes->kv_heads, keys, shapes->v_head_size});
    const DimShape scores = {shapes->batch, shapes->q_heads, shapes->queries, keys};
    context.set_shape(kScores, scores);
    if (context.has_input(kMask)) check_mask(context, scores);
    ops::check_shape(context, kValidKeys, {shapes->batch});
  }

  void plan(PlanContext& context) const override {
    const Shape& q = context.input(kQ).shape;
    const Shape& k = context.input(kK).shape;
    ops::Attention attention;
    attention.q_heads = q.rank() == 4 ? q[1] : q_heads_;
    attention.kv_heads = k.rank() == 4 ? k[1] : kv_heads_;
    const int64_t head_size = q.rank() == 4 ? q[3] : q[2] / q_heads_;
    attention.scale =
        scale_ ? static_cast<double>(*scale_) : 1 / std::sqrt(static_cast<double>(std::max<int64_t>(1, head_size)));
    attention.softcap = static_cast<double>(softcap_);
    attention.is_causal = is_causal_;
    attention.left_window = left_window_;
    attention.right_window = right_window_;
    attention.in_double = precision_ == DType::float64;
    const auto given = [&](size_t i) { return context.has_input(i) ? std::optional<size_t>(i) : std::nullopt; };
    const auto wanted = [&](size_t j) { return context.wants(j) ? std::optional<size_t>(j) : std::nullopt; };
    attention.mask = given(kMask);
    attention.past_key = given(kPastKey);
    attention.past_value = given(kPastValue);
    attention.valid_keys = given(kValidKeys);
    attention.pads_mask = version_ >= 24;
    attention.present_key = wanted(kPresentKey);
    attention.present_value = wanted(kPresentValue);
    attention.scores = wanted(kScores);
    attention.score_stage = static_cast<ops::Attention::Scores>(stage_);
    ops::plan_attention(context, attention);
  }

 private:
  [[noreturn]] static void refuse(const std::string& why) { throw Error(ErrorCode::invalid_model, why); }

  static int64_t window(AttributeReader& attributes, const char* name) {
    const int64_t size = attributes.integer(name, -1);
    if (size < -1) refuse("attribute '" + std::string(name) + "' must be -1 or more");
    return size;
  }

  void check_mask(const InferContext& context, const DimShape& scores) const {
    const DimShape& mask = context.shape(kMask);
    if (!mask.has_rank()) return;
    bool fits = mask.rank() <= 4;
    for (size_t k = 0; fits && k < mask.rank(); ++k) {
      const size_t axis = 4 - mask.rank() + k;
      const Dim& want = scores[axis];
      const bool is_short =
          version_ >= 24 && axis == 3 && want.is_number() && mask[k].is_number() && mask[k].number() < want.number();
      fits = mask[k].is(1) || is_short || !ops::differ(mask[k], want);
    }
    if (!fits) {
      context.fail("the mask of shape " + mask.to_string() + " does not broadcast to the scores of " +
                   scores.to_string());
    }
  }

  int64_t version_;
  bool is_causal_;
  int64_t q_heads_, kv_heads_;
  int64_t stage_;
  float softcap_;
  DType precision_;
  std::optional<float> scale_;
  int64_t left_window_ = -1, right_window_ = -1;
};

}  // namespace

void register_attention(OpRegistry& registry) {
  const std::vector<TypeConstraint> types = {{.name = "T1", .tensors = kFloats},
                                             {.name = "T2", .tensors = kFloats},
                                             {.name = "U", .tensors = kNumbers | DTypeSet{DType::boolean}}};
  registry.add({.name = "Attention",
                .versions = {23},
                .signature = "Q:T1, K:T1, V:T2, attn_mask:U?, past_key:T1?, past_value:T2? -> "
                             "Y:T1, present_key:T1?, present_value:T2?, qk_matmul_output:T1?",
                .types = types,
                .create = make_operator<Attention>});
  registry.add({.name = "Attention",
                .versions = {24, 25},
                .signature = "Q:T1, K:T1, V:T2, attn_mask:U?, past_key:T1?, past_value:T2?, nonpad_kv_seqlen:int64? -> "
                             "Y:T1, present_key:T1?, present_value:T2?, qk_matmul_output:T1?",
                .types = types,
                .create = make_operator<Attention>});
}

}  // namespace onnxrun
