// SplitToSequence: https://onnx.ai/onnx/operators/onnx__SplitToSequence.html, versions 11, 24.
#include <algorithm>

#include "graph/registry.h"
#include "ops/support/axis_copy.h"
#include "ops/support/indices.h"
#include "ops/support/shape_rules.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

class SplitToSequence : public Operator {
 public:
  explicit SplitToSequence(AttributeReader& attributes)
      : axis_(attributes.integer("axis", 0)), keep_(attributes.flag("keepdims", true)) {}

  OperatorTraits traits() const override { return {.whole_values = true}; }

  void infer(InferContext& context) const override {
    const DimShape& shape = context.shape(0);
    DimShape element;
    if (shape.has_rank()) {
      const size_t axis = ops::normalize_axis(axis_, shape.rank());
      std::vector<Dim> extents = shape.dims();
      extents[axis] = context.has_input(1) ? Dim::unknown() : Dim(1);
      if (!context.has_input(1) && !keep_) extents.erase(extents.begin() + static_cast<ptrdiff_t>(axis));
      element = extents;
    }
    context.set_type(0, Type::sequence(Type::tensor(context.dtype(0), element)));
  }

  void run(RunContext& context) const override {
    const TensorView input = context.input(0);
    const size_t axis = ops::normalize_axis(axis_, input.shape.rank());
    const bool drops_axis = !context.has_input(1) && !keep_;
    Sequence sequence;
    int64_t begin = 0;
    for (const int64_t size : sizes(context, input.shape[axis])) {
      Tensor part = ops::copy_part(input, axis, begin, size);
      begin += size;
      if (drops_axis) {
        Shape shape = part.shape();
        shape.erase(axis);
        part = part.reshaped(shape);
      }
      sequence.elements.emplace_back(std::move(part));
    }
    context.set(0, std::move(sequence));
  }

 private:
  static std::vector<int64_t> sizes(const RunContext& context, int64_t extent) {
    if (!context.has_input(1)) return std::vector<int64_t>(static_cast<size_t>(extent), 1);
    const TensorView split = context.input(1);
    const ops::IndexReader given(split.data, split.dtype);
    std::vector<int64_t> list;
    if (split.shape.rank() == 0) {
      if (given[0] < 1) RunContext::fail("split is " + std::to_string(given[0]));
      for (int64_t rest = extent; rest > 0; rest -= list.back()) list.push_back(std::min(rest, given[0]));
      return list;
    }
    int64_t left = extent;
    for (int64_t i = 0; i < split.elements(); ++i) {
      if (given[i] < 0 || given[i] > left) RunContext::fail("split does not add up to " + std::to_string(extent));
      left -= given[i];
      list.push_back(given[i]);
    }
    if (left != 0) RunContext::fail("split does not add up to " + std::to_string(extent));
    return list;
  }

  int64_t axis_;
  bool keep_;
};

}  // namespace

void register_split_to_sequence(OpRegistry& registry) {
  for (const int64_t version : {11, 24}) {
    const DTypeSet types = version < 24 ? kClassicTypes : kClassicTypes | kFloats;
    registry.add({.name = "SplitToSequence",
                  .versions = {version},
                  .signature = "input:T, split:I? -> output_sequence:S",
                  .types = {{.name = "T", .tensors = types},
                            {.name = "I", .tensors = {DType::int32, DType::int64}},
                            {.name = "S", .sequences = types}},
                  .create = make_operator<SplitToSequence>});
  }
}

}  // namespace onnxrun
