// Size: https://onnx.ai/onnx/operators/onnx__Size.html, versions 1, 13, 19, 21, 23, 24, 25.
#include "graph/registry.h"
#include "ops/support/strided_copy.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

class Size : public Operator {
 public:
  explicit Size(AttributeReader& /*attributes*/) {}

  void infer(InferContext& context) const override {
    context.set_output(0, DType::int64, std::vector<Dim>{});
    if (context.shape(0).has_rank()) context.set_content(0, {context.shape(0).elements()});
  }

  void plan(PlanContext& context) const override { ops::plan_integers(context, 0, {context.input(0).elements()}); }
};

}  // namespace

void register_size(OpRegistry& registry) {
  ops::add_versions(registry, {.name = "Size",
                               .versions = {1, 13, 19, 21, 23, 24, 25},
                               .signature = "data:T -> size:int64",
                               .create = make_operator<Size>});
}

}  // namespace onnxrun
