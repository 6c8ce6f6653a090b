// FlexAttention: https://onnx.ai/onnx/operators/onnx_aionnxpreview_FlexAttention.html, version 1. Products are computed
// in float, in double where softmax_precision or a type is; scores and probabilities have the type of softmax_precision
// where a subgraph sees them.
#include <algorithm>
#include <cmath>

#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/attention.h"
#include "ops/support/attention_kernel.h"
#include "ops/support/attention_shapes.h"

namespace onnxrun {
namespace {

class FlexAttention : public Operator {
 public:
  explicit FlexAttention(AttributeReader& attributes)
      : precision_(attributes.dtype("softmax_precision", DType::undefined)) {
    if (attributes.has("scale")) scale_ = attributes.number("scale", 1);
    if (attributes.has("score_mod")) score_mod_ = attributes.required_graph("score_mod");
    if (attributes.has("prob_mod")) prob_mod_ = attributes.required_graph("prob_mod");
    if (precision_ != DType::undefined && !kFloats.contains(precision_)) {
      throw Error(ErrorCode::invalid_model, "attribute 'softmax_precision' must be a float type");
    }
    for (const auto& graph : {score_mod_, prob_mod_}) {
      if (graph && (graph->inputs.size() != 1 || graph->outputs.size() != 1)) {
        throw Error(ErrorCode::invalid_model, "a modifier graph must have one input and one output");
      }
    }
  }

  void infer(InferContext& context) const override {
    context.set_dtype(0, context.dtype(0));
    for (size_t i = 0; i < 3; ++i) {
      if (context.shape(i).has_rank() && context.shape(i).rank() != 4) context.fail("Q, K and V must have rank 4");
    }
    const auto shapes = ops::attention_shapes(context, 0, 0);
    const DimShape scores =
        shapes ? DimShape{shapes->batch, shapes->q_heads, shapes->queries, shapes->keys} : DimShape::of_rank(4);
    if (shapes) context.set_shape(0, shapes->output);
    const Type type = Type::tensor(precision(context.dtype(0)), scores);
    for (const auto& graph : {score_mod_, prob_mod_}) {
      if (!graph) continue;
      bool conflict = false;
      ValueFact input;
      input.type = type;
      merge(type, context.infer_subgraph(*graph, {&input, 1})[0].type, conflict);
      if (conflict) context.fail("a modifier graph must keep the type " + type.to_string());
    }
  }

  void plan(PlanContext& context) const override {
    if (score_mod_ || prob_mod_) return context.run_whole();
    ops::Attention attention;
    attention.q_heads = context.input(0).shape[1];
    attention.kv_heads = context.input(1).shape[1];
    attention.scale = scale(context.input(0).shape);
    attention.in_double = precision_ == DType::float64;
    ops::plan_attention(context, attention);
  }

  void run(RunContext& context) const override {
    if (precision(context.input(0).dtype) == DType::float64 || context.input(0).dtype == DType::float64) {
      return run_in<double>(context);
    }
    run_in<float>(context);
  }

 private:
  DType precision(DType input) const {
    if (precision_ != DType::undefined) return precision_;
    return input == DType::float64 ? DType::float64 : DType::float32;
  }
  double scale(const Shape& q) const {
    if (scale_) return static_cast<double>(*scale_);
    return 1 / std::sqrt(static_cast<double>(std::max<int64_t>(1, q[3])));
  }

  static Tensor modify(RunContext& context, const Graph& graph, Tensor scores) {
    const DType dtype = scores.dtype();
    const Shape shape = scores.shape();
    std::vector<Value> inputs;
    inputs.emplace_back(std::move(scores));
    Tensor result = std::move(context.run_subgraph(graph, std::move(inputs))[0].tensor());
    if (result.dtype() != dtype || !(result.shape() == shape)) {
      RunContext::fail("a modifier graph made " + std::string(dtype_name(result.dtype())) + result.shape().to_string() +
                       " of " + std::string(dtype_name(dtype)) + shape.to_string());
    }
    return result;
  }

  template <class C>
  void run_in(RunContext& context) const {
    const TensorView q = context.input(0);
    const Shape& k = context.input(1).shape;
    const Shape& v = context.input(2).shape;
    const int64_t group = k[1] == 0 ? 1 : q.shape[1] / k[1];
    const int64_t heads = q.shape[0] * q.shape[1];
    const int64_t queries = q.shape[2];
    const ops::AttentionKernel<C> kernel(k[2], k[3], v[3], scale(q.shape));
    const auto head_elements = static_cast<int64_t>(kernel.packed_elements());
    Tensor packed(kDTypeOf<C>, {k[0] * k[1], head_elements});
    pack(context, kernel, packed);
    const auto packed_head = [&](int64_t head) {
      return packed.values<C>().data() + (head / q.shape[1] * k[1] + head % q.shape[1] / group) * head_elements;
    };

    Tensor scores(precision(q.dtype), {q.shape[0], q.shape[1], queries, k[2]});
    Tensor wide_q(kDTypeOf<C>, {queries, q.shape[3]});
    Tensor block(kDTypeOf<C>, {queries, k[2]});
    C* rows = block.mutable_values<C>().data();
    for (int64_t head = 0; head < heads; ++head) {
      C* q_rows = wide_q.mutable_values<C>().data();
      ops::load_floats(q.dtype, q.data, head * wide_q.elements(), wide_q.elements(), q_rows);
      kernel.score(q_rows, q.shape[3], queries, packed_head(head), 0, k[2], rows, k[2]);
      ops::store_floats(scores.dtype(), rows, scores.mutable_data(), head * block.elements(), block.elements());
    }
    if (score_mod_) scores = modify(context, *score_mod_, std::move(scores));
    Tensor probabilities(scores.dtype(), scores.shape());
    for (int64_t row = 0; row < heads * queries; ++row) {
      ops::load_floats(scores.dtype(), scores.data(), row * k[2], k[2], rows);
      ops::AttentionKernel<C>::softmax(rows, k[2]);
      ops::store_floats(scores.dtype(), rows, probabilities.mutable_data(), row * k[2], k[2]);
    }
    if (prob_mod_) probabilities = modify(context, *prob_mod_, std::move(probabilities));
    void* y = context.allocate(0, q.dtype, {q.shape[0], q.shape[1], queries, v[3]});
    Tensor result(kDTypeOf<C>, {queries, v[3]});
    for (int64_t head = 0; head < heads; ++head) {
      C* y_rows = result.mutable_values<C>().data();
      ops::load_floats(scores.dtype(), probabilities.data(), head * block.elements(), block.elements(), rows);
      kernel.weigh(rows, k[2], queries, packed_head(head), 0, k[2], y_rows, v[3]);
      ops::store_floats(q.dtype, y_rows, y, head * result.elements(), result.elements());
    }
  }

  template <class C>
  static void pack(const RunContext& context, const ops::AttentionKernel<C>& kernel, Tensor& packed) {
    const auto source = [&](size_t i) {
      const TensorView view = context.input(i);
      ops::HeadSource heads;
      heads.dtype = view.dtype;
      heads.size = view.shape[3];
      heads.layout = ops::HeadLayout::of(view.shape, view.shape[1]);
      heads.data = view.data;
      return heads;
    };
    const ops::HeadSource key = source(1);
    const ops::HeadSource value = source(2);
    const int64_t heads = context.input(1).shape[1];
    Tensor scratch(kDTypeOf<C>, {static_cast<int64_t>(kernel.scratch_elements())});
    for (int64_t head = 0; head < packed.shape()[0]; ++head) {
      for (int64_t chunk = 0; chunk < kernel.chunk_count(); ++chunk) {
        kernel.pack(key, value, head / heads, head % heads, chunk,
                    packed.mutable_values<C>().data() + head * packed.shape()[1], scratch.mutable_values<C>().data());
      }
    }
  }

  DType precision_;
  std::optional<float> scale_;
  std::shared_ptr<const Graph> score_mod_, prob_mod_;
};

}  // namespace

void register_flex_attention(OpRegistry& registry) {
  registry.add({.domain = "ai.onnx.preview",
                .name = "FlexAttention",
                .versions = {1},
                .signature = "Q:T1, K:T1, V:T1 -> Y:T1",
                .types = {{.name = "T1", .tensors = kFloats}},
                .create = make_operator<FlexAttention>});
}

}  // namespace onnxrun
