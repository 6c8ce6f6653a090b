// BitCast: https://onnx.ai/onnx/operators/onnx__BitCast.html, version 26. A view: no bit changes.
#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

class BitCast : public Operator {
 public:
  explicit BitCast(AttributeReader& attributes) : to_(attributes.dtype("to", DType::undefined)) {
    if (to_ == DType::undefined || to_ == DType::string) {
      throw Error(ErrorCode::invalid_model, "attribute 'to' must be an element type other than string");
    }
  }

  void infer(InferContext& context) const override {
    const DType from = context.dtype(0);
    if (from != DType::undefined && bit_size(from) != bit_size(to_)) {
      context.fail("'to' is " + std::string(dtype_name(to_)) + ", whose width is not that of " +
                   std::string(dtype_name(from)));
    }
    context.set_output(0, to_, context.shape(0));
  }

  void plan(PlanContext& context) const override { context.view(0, 0); }

 private:
  DType to_;
};

}  // namespace

void register_bit_cast(OpRegistry& registry) {
  ops::add_versions(
      registry,
      {.name = "BitCast", .versions = {26}, .signature = "input:T1 -> output:T2", .create = make_operator<BitCast>},
      {"T1", "T2"}, {DType::string});
}

}  // namespace onnxrun
