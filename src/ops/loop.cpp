// Loop: https://onnx.ai/onnx/operators/onnx__Loop.html, versions 1, 11, 13 (sequences), 16 (optionals), 19, 21, 23, 24,
// 25. The body takes the iteration's number, the condition and the carried values.
#include <algorithm>
#include <limits>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "ops/support/loop_body.h"

namespace onnxrun {
namespace {

class Loop : public Operator {
 public:
  explicit Loop(AttributeReader& attributes) : body_(attributes.required_graph("body")) {}

  OperatorTraits traits() const override { return {.whole_values = true}; }

  void infer(InferContext& context) const override {
    const size_t carried = carried_count(context.input_count());
    if (body_->inputs.size() != carried + 2) {
      context.fail("the body has " + std::to_string(body_->inputs.size()) + " inputs, " + std::to_string(carried + 2) +
                   " are needed");
    }
    if (body_->outputs.size() != context.output_count() + 1 || context.output_count() < carried) {
      context.fail("the body has " + std::to_string(body_->outputs.size()) + " outputs, " +
                   std::to_string(std::max(context.output_count(), carried) + 1) + " are needed");
    }
    for (size_t i = 0; i < 2; ++i) {
      if (!context.has_input(i)) continue;
      const Dim elements = context.shape(i).elements();
      if (elements.is_number() && !elements.is(1)) context.fail("M and cond must have one element each");
    }
    std::vector<Type> inputs = {Type::tensor(DType::int64, scalar_shape(0)),
                                Type::tensor(DType::boolean, scalar_shape(1))};
    for (size_t k = 0; k < carried; ++k) inputs.push_back(context.type(k + 2));
    const auto outputs = ops::infer_loop_body(context, *body_, std::move(inputs), {2, 1, carried});
    for (size_t j = 0; j < carried; ++j) context.set_type(j, outputs[j + 1]);
    for (size_t j = carried; j < context.output_count(); ++j) {
      const Type& element = outputs[j + 1];
      if (element.dtype == DType::undefined) continue;
      DimShape shape;
      if (element.shape.has_rank()) {
        std::vector<Dim> extents = element.shape.dims();
        extents.insert(extents.begin(), Dim::unknown());
        shape = extents;
      }
      context.set_output(j, element.dtype, shape);
    }
  }

  void run(RunContext& context) const override {
    const size_t carried = carried_count(context.input_count());
    const size_t scanned = body_->outputs.size() - 1 - carried;
    int64_t trips = std::numeric_limits<int64_t>::max();
    if (context.has_input(0)) trips = single<int64_t>(context.input(0));
    bool goes_on = !context.has_input(1) || single<bool>(context.input(1));
    std::vector<Value> values;
    for (size_t k = 0; k < carried; ++k) values.push_back(context.take(k + 2));
    std::vector<std::vector<Tensor>> scans(scanned);
    for (int64_t trip = 0; goes_on && trip < trips; ++trip) {
      std::vector<Value> inputs = {make_scalar(DType::int64, 0, trip), make_scalar(DType::boolean, 1, goes_on)};
      for (Value& value : values) inputs.push_back(std::move(value));
      std::vector<Value> outputs = context.run_subgraph(*body_, std::move(inputs));
      goes_on = single<bool>(outputs[0].tensor());
      for (size_t k = 0; k < carried; ++k) values[k] = std::move(outputs[k + 1]);
      for (size_t k = 0; k < scanned; ++k) scans[k].push_back(std::move(outputs[k + 1 + carried].tensor()));
    }
    for (size_t k = 0; k < carried; ++k) context.set(k, std::move(values[k]));
    for (size_t k = 0; k < scanned; ++k) {
      const Type& element = body_->value(body_->outputs[k + 1 + carried]).type;
      const auto count = static_cast<int64_t>(scans[k].size());
      if (context.wants(k + carried)) context.set(k + carried, ops::stack(scans[k], element, 0, count));
    }
  }

 private:
  static size_t carried_count(size_t inputs) { return inputs > 2 ? inputs - 2 : 0; }

  // Some bodies declare the number and the condition as vectors of one element.
  Shape scalar_shape(size_t i) const {
    const DimShape& declared = body_->value(body_->inputs[i]).declared.shape;
    return declared.has_rank() ? Shape(declared.rank(), 1) : Shape{};
  }

  template <class T>
  Tensor make_scalar(DType dtype, size_t i, T value) const {
    return Tensor::of<T>(dtype, scalar_shape(i), {&value, 1});
  }

  template <class T>
  static T single(const TensorView& tensor) {
    if (tensor.elements() != 1 || tensor.dtype != kDTypeOf<T>) {
      RunContext::fail("M and the condition must be one int64 and one bool");
    }
    return tensor.values<T>()[0];
  }

  std::shared_ptr<const Graph> body_;
};

}  // namespace

void register_loop(OpRegistry& registry) {
  registry.add({.name = "Loop",
                .versions = {1, 11, 13, 16, 19, 21, 23, 24, 25},
                .signature = "M:int64?, cond:bool?, v_initial:V*...? -> v_final_and_scan_outputs:V*...?",
                .types = {{.name = "V", .any = true}},
                .create = make_operator<Loop>});
}

}  // namespace onnxrun
