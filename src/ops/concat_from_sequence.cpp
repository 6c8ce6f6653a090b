// ConcatFromSequence: https://onnx.ai/onnx/operators/onnx__ConcatFromSequence.html, version 11.
#include "graph/registry.h"
#include "ops/support/axis_copy.h"
#include "ops/support/shape_rules.h"

namespace onnxrun {
namespace {

class ConcatFromSequence : public Operator {
 public:
  explicit ConcatFromSequence(AttributeReader& attributes)
      : axis_(attributes.required_integer("axis")), new_axis_(attributes.flag("new_axis", false)) {}

  OperatorTraits traits() const override { return {.whole_values = true}; }

  void infer(InferContext& context) const override {
    const Type* element = context.type(0).element.get();
    if (!element || element->dtype == DType::undefined) return;
    context.set_dtype(0, element->dtype);
    if (!element->shape.has_rank()) return;
    std::vector<Dim> extents = element->shape.dims();
    const size_t axis = ops::normalize_axis(axis_, extents.size() + (new_axis_ ? 1 : 0));
    if (new_axis_) {
      extents.insert(extents.begin() + static_cast<ptrdiff_t>(axis), Dim::unknown());
    } else {
      extents[axis] = Dim::unknown();
    }
    context.set_shape(0, extents);
  }

  void run(RunContext& context) const override {
    const Value sequence = context.value(0);
    const auto& elements = sequence.sequence().elements;
    if (elements.empty()) RunContext::fail("an empty sequence cannot be concatenated");
    std::vector<TensorView> parts;
    parts.reserve(elements.size());
    for (const Value& element : elements) parts.push_back(element.tensor());
    const size_t axis = ops::normalize_axis(axis_, parts[0].shape.rank() + (new_axis_ ? 1 : 0));
    if (new_axis_) {
      for (TensorView& part : parts) {
        if (axis > part.shape.rank()) RunContext::fail("the tensors of the sequence differ in rank");
        part.shape.insert(axis, 1);
      }
    }
    Shape result = parts[0].shape;
    result[axis] = 0;
    for (const TensorView& part : parts) {
      Shape aligned = part.shape;
      if (aligned.rank() == result.rank()) aligned[axis] = result[axis];
      if (!(aligned == result) || part.dtype != parts[0].dtype) {
        RunContext::fail("tensors of the shapes " + parts[0].shape.to_string() + " and " + part.shape.to_string() +
                         " cannot be concatenated");
      }
      result[axis] += part.shape[axis];
    }
    void* dst = context.allocate(0, parts[0].dtype, result);
    int64_t begin = 0;
    for (const TensorView& part : parts) {
      ops::copy_into(part, axis, dst, result, begin);
      begin += part.shape[axis];
    }
  }

 private:
  int64_t axis_;
  bool new_axis_;
};

}  // namespace

void register_concat_from_sequence(OpRegistry& registry) {
  registry.add({.name = "ConcatFromSequence",
                .versions = {11},
                .signature = "input_sequence:S -> concat_result:T",
                .types = {{.name = "S", .sequences = kClassicTypes}, {.name = "T", .tensors = kClassicTypes}},
                .create = make_operator<ConcatFromSequence>});
}

}  // namespace onnxrun
