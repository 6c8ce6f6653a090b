// Scan: https://onnx.ai/onnx/operators/onnx__Scan.html, versions 8 (a batch, sequence_lens), 9 (axes, output
// directions), 11, 16, 19, 21, 23, 24, 25. Behind the end of a short sequence version 8 gives zeros.
#include <algorithm>

#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/axis_copy.h"
#include "ops/support/loop_body.h"
#include "ops/support/shape_rules.h"

namespace onnxrun {
namespace {

// One entry for each of `count` inputs or outputs.
std::vector<int64_t> read_list(AttributeReader& attributes, const char* name, size_t count) {
  std::vector<int64_t> list = attributes.integers(name);
  if (list.empty()) list.resize(count, 0);
  if (list.size() != count) {
    throw Error(ErrorCode::invalid_model, "attribute '" + std::string(name) + "' has " + std::to_string(list.size()) +
                                              " numbers, " + std::to_string(count) + " are needed");
  }
  return list;
}

Tensor without_axis(const Tensor& tensor, size_t axis) {
  Shape shape = tensor.shape();
  shape.erase(axis);
  return tensor.reshaped(shape);
}

class Scan : public Operator {
 public:
  explicit Scan(AttributeReader& attributes)
      : body_(attributes.required_graph("body")), has_batch_(attributes.version() < 9) {
    const int64_t scans = attributes.required_integer("num_scan_inputs");
    if (scans < 1 || scans > static_cast<int64_t>(body_->inputs.size())) {
      throw Error(ErrorCode::invalid_model, "attribute 'num_scan_inputs' is " + std::to_string(scans) +
                                                ", the body has " + std::to_string(body_->inputs.size()) + " inputs");
    }
    scans_ = static_cast<size_t>(scans);
    states_ = body_->inputs.size() - scans_;
    if (body_->outputs.size() < states_) throw Error(ErrorCode::invalid_model, "the body has too few outputs");
    const size_t outputs = body_->outputs.size() - states_;
    input_reversed_ = read_list(attributes, has_batch_ ? "directions" : "scan_input_directions", scans_);
    input_axes_.resize(scans_, 0);
    output_axes_.resize(outputs, 0);
    output_reversed_.resize(outputs, 0);
    if (has_batch_) return;
    input_axes_ = read_list(attributes, "scan_input_axes", scans_);
    output_axes_ = read_list(attributes, "scan_output_axes", outputs);
    output_reversed_ = read_list(attributes, "scan_output_directions", outputs);
  }

  OperatorTraits traits() const override { return {.data_dependent = true}; }

  void infer(InferContext& context) const override {
    if (context.input_count() != first() + states_ + scans_ || context.output_count() != body_->outputs.size()) {
      context.fail("the body's inputs and outputs do not fit those of the node");
    }
    std::vector<Type> inputs;
    Dim length = Dim::unknown();
    for (size_t i = 0; i < states_ + scans_; ++i) {
      Type type = context.type(first() + i);
      std::vector<Dim> extents = type.shape.dims();
      if (type.shape.has_rank() && has_batch_) drop(context, extents, 0);
      if (type.shape.has_rank() && i >= states_) {
        const size_t axis = ops::normalize_axis(input_axes_[i - states_], extents.size());
        if (!length.is_number()) length = extents[axis];
        drop(context, extents, axis);
      }
      if (type.shape.has_rank()) type.shape = extents;
      inputs.push_back(std::move(type));
    }
    const auto outputs = ops::infer_loop_body(context, *body_, std::move(inputs), {0, 0, states_});
    const Dim batch = has_batch_ && context.shape(first()).has_rank() ? context.shape(first())[0] : Dim::unknown();
    for (size_t j = 0; j < outputs.size(); ++j) {
      Type type = outputs[j];
      std::vector<Dim> extents = type.shape.dims();
      if (type.shape.has_rank() && j >= states_) {
        const size_t axis = ops::normalize_axis(output_axes_[j - states_], extents.size() + 1);
        extents.insert(extents.begin() + static_cast<ptrdiff_t>(axis), length);
      }
      if (has_batch_) extents.insert(extents.begin(), batch);
      if (type.shape.has_rank()) type.shape = extents;
      context.set_type(j, std::move(type));
    }
  }

  void run(RunContext& context) const override {
    std::vector<TensorView> inputs;
    for (size_t i = 0; i < states_ + scans_; ++i) inputs.push_back(context.input(first() + i));
    if (!has_batch_) {
      std::vector<Tensor> outputs = scan(context, inputs, -1);
      for (size_t j = 0; j < outputs.size(); ++j) context.set(j, std::move(outputs[j]));
      return;
    }
    const int64_t batch = inputs[0].shape.rank() == 0 ? 0 : inputs[0].shape[0];
    if (context.has_input(0) && context.input(0).elements() != batch) {
      RunContext::fail("sequence_lens must have one number for each entry of the batch");
    }
    std::vector<std::vector<Tensor>> results(body_->outputs.size());
    for (int64_t n = 0; n < batch; ++n) {
      std::vector<Tensor> parts;
      for (const TensorView& input : inputs) {
        if (input.shape.rank() == 0 || input.shape[0] != batch) RunContext::fail("the inputs differ in batch size");
        parts.push_back(without_axis(ops::copy_part(input, 0, n, 1), 0));
      }
      const std::vector<TensorView> views(parts.begin(), parts.end());
      const int64_t count = context.has_input(0) ? context.input(0).values<int64_t>()[static_cast<size_t>(n)] : -1;
      std::vector<Tensor> outputs = scan(context, views, count);
      for (size_t j = 0; j < outputs.size(); ++j) results[j].push_back(std::move(outputs[j]));
    }
    for (size_t j = 0; j < results.size(); ++j) {
      context.set(j, ops::stack(results[j], body_->value(body_->outputs[j]).type, 0, batch));
    }
  }

 private:
  // Inputs begin behind sequence_lens.
  size_t first() const { return has_batch_ ? 1 : 0; }

  static void drop(const InferContext& context, std::vector<Dim>& extents, size_t axis) {
    if (axis >= extents.size()) context.fail("an input has too few dimensions");
    extents.erase(extents.begin() + static_cast<ptrdiff_t>(axis));
  }

  // The common extent of the scan inputs.
  int64_t length_of(const std::vector<TensorView>& inputs) const {
    int64_t length = -1;
    for (size_t k = 0; k < scans_; ++k) {
      const Shape& shape = inputs[states_ + k].shape;
      const int64_t extent = shape[ops::normalize_axis(input_axes_[k], shape.rank())];
      if (length >= 0 && extent != length) RunContext::fail("the scan inputs differ in length");
      length = extent;
    }
    return length;
  }

  // The final states and stacked outputs after `count` iterations; after all of them where it is negative.
  std::vector<Tensor> scan(RunContext& context, const std::vector<TensorView>& inputs, int64_t count) const {
    const int64_t length = length_of(inputs);
    if (count > length) RunContext::fail("a sequence is longer than the scan inputs");
    if (count < 0) count = length;
    std::vector<Value> states;
    for (size_t k = 0; k < states_; ++k) states.emplace_back(Tensor::copy_of(inputs[k]));
    std::vector<std::vector<Tensor>> scanned(body_->outputs.size() - states_);
    for (int64_t step = 0; step < count; ++step) {
      std::vector<Value> values = std::move(states);
      for (size_t k = 0; k < scans_; ++k) {
        const TensorView& input = inputs[states_ + k];
        const size_t axis = ops::normalize_axis(input_axes_[k], input.shape.rank());
        const int64_t position = input_reversed_[k] != 0 ? count - 1 - step : step;
        values.emplace_back(without_axis(ops::copy_part(input, axis, position, 1), axis));
      }
      std::vector<Value> outputs = context.run_subgraph(*body_, std::move(values));
      states.assign(std::make_move_iterator(outputs.begin()),
                    std::make_move_iterator(outputs.begin() + static_cast<ptrdiff_t>(states_)));
      for (size_t k = 0; k < scanned.size(); ++k) scanned[k].push_back(std::move(outputs[states_ + k].tensor()));
    }
    std::vector<Tensor> results;
    results.reserve(states.size() + scanned.size());
    for (Value& state : states) results.push_back(std::move(state.tensor()));
    for (size_t k = 0; k < scanned.size(); ++k) {
      if (output_reversed_[k] != 0) std::reverse(scanned[k].begin(), scanned[k].end());
      const Type& element = body_->value(body_->outputs[states_ + k]).type;
      results.push_back(ops::stack(scanned[k], element, output_axes_[k], length));
    }
    return results;
  }

  std::shared_ptr<const Graph> body_;
  bool has_batch_;
  size_t scans_ = 0;
  size_t states_ = 0;
  std::vector<int64_t> input_axes_, input_reversed_, output_axes_, output_reversed_;
};

}  // namespace

void register_scan(OpRegistry& registry) {
  registry.add({.name = "Scan",
                .versions = {8},
                .signature = "sequence_lens:int64?, inputs:V*... -> outputs:V*...",
                .types = {{.name = "V", .any = true}},
                .create = make_operator<Scan>});
  registry.add({.name = "Scan",
                .versions = {9, 11, 16, 19, 21, 23, 24, 25},
                .signature = "inputs:V*... -> outputs:V*...",
                .types = {{.name = "V", .any = true}},
                .create = make_operator<Scan>});
}

}  // namespace onnxrun
