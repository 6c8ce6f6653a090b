// onnxrun.QuantizedAdd: the Add, and a Relu or Clip, between the DequantizeLinears of two maps of uint8 of the same
// shape and a QuantizeLinear to uint8: round((A - a_zero) * a_scale + (B - b_zero) * b_scale) + zero, from low
// to high.
#include "graph/registry.h"
#include "kernels/quantize/quantize.h"
#include "ops/support/channel_blocks.h"

namespace onnxrun {
namespace {

class QuantizedAdd : public Operator {
 public:
  explicit QuantizedAdd(AttributeReader& attributes)
      : sum_{attributes.number("a_scale", 1), attributes.number("b_scale", 1), integer(attributes, "a_zero"),
             integer(attributes, "b_zero"), integer(attributes, "zero")},
        range_{integer(attributes, "low"), integer(attributes, "high")} {}

  void infer(InferContext& context) const override { context.set_shape(0, context.shape(0)); }

  void plan(PlanContext& context) const override {
    context.in_place(0, 0);
    context.in_place(0, 1);
    context.elementwise(context.output(0).elements(), 0.1,
                        [add = quantize_kernels().add, sum = sum_, range = range_](const TileContext& tile,
                                                                                   int64_t begin, int64_t end) {
                          add(tile.input<uint8_t>(0) + begin, tile.input<uint8_t>(1) + begin, sum, range,
                              tile.output<uint8_t>(0) + begin, static_cast<size_t>(end - begin));
                        });
  }

 private:
  static int32_t integer(AttributeReader& attributes, std::string_view name) {
    return static_cast<int32_t>(attributes.required_integer(name));
  }

  QuantizedSum sum_;
  QuantizedRange range_;
};

}  // namespace

void register_quantized_add(OpRegistry& registry) {
  ops::add_blocked<QuantizedAdd>(registry, "QuantizedAdd", "A:T, B:T -> C:T", {DType::uint8});
}

}  // namespace onnxrun
