// BitShift: https://onnx.ai/onnx/operators/onnx__BitShift.html, version 11. A shift by the width or more gives 0.
#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/binary_row.h"
#include "ops/support/shape_rules.h"

namespace onnxrun {
namespace {

template <class T>
T shift(T value, T by, bool left) {
  if (by >= sizeof(T) * 8) return 0;
  return static_cast<T>(left ? static_cast<uint64_t>(value) << by : static_cast<uint64_t>(value) >> by);
}

class BitShift : public Operator {
 public:
  explicit BitShift(AttributeReader& attributes) {
    if (!attributes.has("direction")) {
      throw Error(ErrorCode::invalid_model, "attribute 'direction' is required and absent");
    }
    left_ = attributes.one_of("direction", {"LEFT", "RIGHT"}) == "LEFT";
  }

  void infer(InferContext& context) const override {
    context.set_shape(0, ops::broadcast(context.shape(0), context.shape(1)));
  }

  void plan(PlanContext& context) const override {
    const DType dtype = context.input(0).dtype;
    dispatch_dtype<uint8_t, uint16_t, uint32_t, uint64_t>(dtype, [&]<class T>() {
      const auto row = ops::binary_row_of<T, T>([left = left_](T value, T by) { return shift(value, by, left); });
      ops::plan_broadcast(context, 0, 1, dtype, 0.5, row);
    });
  }

 private:
  bool left_ = true;
};

}  // namespace

void register_bit_shift(OpRegistry& registry) {
  registry.add({.name = "BitShift",
                .versions = {11},
                .signature = "X:T, Y:T -> Z:T",
                .types = {{.name = "T", .tensors = kUnsignedIntegers}},
                .create = make_operator<BitShift>});
}

}  // namespace onnxrun
