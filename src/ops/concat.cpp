// Concat: https://onnx.ai/onnx/operators/onnx__Concat.html, versions 1, 4, 11 (negative axis), 13. Inputs that lie in
// the output as one run may be made right there.
#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/shape_rules.h"
#include "ops/support/strided_copy.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

class Concat : public Operator {
 public:
  explicit Concat(AttributeReader& attributes)
      : axis_(attributes.version() < 4 ? attributes.integer("axis", 1) : attributes.required_integer("axis")) {}

  void infer(InferContext& context) const override {
    set_content(context);
    DimShape result;
    for (size_t i = 0; i < context.input_count(); ++i) {
      const DimShape& shape = context.shape(i);
      if (!shape.has_rank()) return;
      const size_t axis = ops::normalize_axis(axis_, shape.rank());
      if (i == 0) {
        result = shape;
        continue;
      }
      if (shape.rank() != result.rank()) {
        context.fail("inputs of rank " + std::to_string(result.rank()) + " and " + std::to_string(shape.rank()));
      }
      for (size_t k = 0; k < shape.rank(); ++k) {
        if (k == axis) {
          result[k] = result[k] + shape[k];
        } else if (result[k].is_number() && shape[k].is_number() && !(result[k] == shape[k])) {
          context.fail("inputs differ along axis " + std::to_string(k) + ": " + result[k].to_string() + " and " +
                       shape[k].to_string());
        } else if (!result[k].is_number()) {
          result[k] = shape[k].is_known() ? shape[k] : result[k];
        }
      }
    }
    context.set_shape(0, result);
  }

  void plan(PlanContext& context) const override {
    const Shape& output = context.output(0).shape;
    const size_t axis = ops::normalize_axis(axis_, output.rank());
    const int64_t inner = output.elements(axis + 1, output.rank());
    const int64_t outer = output.elements(0, axis);
    int64_t offset = 0;
    for (size_t i = 0; i < context.input_count(); ++i) {
      const int64_t run = context.input(i).shape[axis] * inner;
      if (outer == 1 && run > 0 && context.output(0).dtype != DType::string) {
        context.place(i, 0, byte_size(context.output(0).dtype, static_cast<size_t>(offset)));
      }
      ops::StridedCopy copy;
      copy.dst_offset = offset;
      copy.add_axis(outer, run, output[axis] * inner);
      copy.add_axis(run, 1, 1);
      ops::plan_copy(context, i, 0, copy);
      offset += run;
    }
  }

 private:
  // Elements of vectors side by side.
  static void set_content(InferContext& context) {
    Content content;
    for (size_t i = 0; i < context.input_count(); ++i) {
      const DimShape& shape = context.shape(i);
      const bool is_vector = shape.has_rank() && shape.rank() == 1 && shape[0].is_number();
      if (!is_vector || shape[0].number() > kMaxContentElements) return;
      if (const Content* elements = context.content(i)) {
        content.insert(content.end(), elements->begin(), elements->end());
      } else if (kIntegers.contains(context.dtype(i))) {
        content.resize(content.size() + static_cast<size_t>(shape[0].number()));
      } else {
        return;
      }
    }
    context.set_content(0, std::move(content));
  }

  int64_t axis_;
};

}  // namespace

void register_concat(OpRegistry& registry) {
  registry.add({.name = "Concat",
                .versions = {1},
                .signature = "inputs:T... -> concat_result:T",
                .types = {{.name = "T", .tensors = kIeeeFloats}},
                .create = make_operator<Concat>});
  ops::add_versions(registry, {.name = "Concat",
                               .versions = {4, 11, 13},
                               .signature = "inputs:T... -> concat_result:T",
                               .create = make_operator<Concat>});
}

}  // namespace onnxrun
