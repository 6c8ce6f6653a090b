// onnxrun.QuantizedMatMul: the product of rows of uint8, less a_zero, with a matrix of int8 [K, N], or [N, K] where it
// is transposed, exact in int32, then round(sum * scale + shift) + zero, from low to high, as uint8; or, with
// to_floats, sum * scale + shift as float32. What DequantizeLinears before a MatMul or Gemm and a QuantizeLinear behind
// it do together, but for float's rounding.
#include "graph/registry.h"
#include "kernels/quantize/quantize.h"
#include "ops/support/channel_blocks.h"
#include "ops/support/integer_matmul.h"

namespace onnxrun {
namespace {

enum Input : size_t { kA, kB, kShift, kScale, kAZero };

class QuantizedMatMul : public Operator {
 public:
  explicit QuantizedMatMul(AttributeReader& attributes)
      : transposed_(attributes.flag("transposed", false)),
        to_floats_(attributes.flag("to_floats", false)),
        zero_(static_cast<int32_t>(attributes.integer("zero", 0))),
        range_{static_cast<int32_t>(attributes.integer("low", 0)),
               static_cast<int32_t>(attributes.integer("high", 0))} {}

  void infer(InferContext& context) const override {
    context.set_dtype(0, to_floats_ ? DType::float32 : DType::uint8);
    const DimShape& a = context.shape(kA);
    const DimShape& b = context.shape(kB);
    if (!a.has_rank() || !b.has_rank()) return;
    context.set_shape(0, ops::matmul_shape(a, transposed_ ? DimShape{b[1], b[0]} : b));
  }

  void plan(PlanContext& context) const override {
    const Shape& a = context.input(kA).shape;
    const Shape& b = context.input(kB).shape;
    ops::IntegerProduct product;
    product.m = static_cast<size_t>(a.elements(0, a.rank() - 1));
    product.k = static_cast<size_t>(a.back());
    product.n = static_cast<size_t>(b[transposed_ ? 0 : 1]);
    const auto k = static_cast<ptrdiff_t>(product.k), n = static_cast<ptrdiff_t>(product.n);
    product.a = {.input = kA, .zero_input = kAZero, .row_stride = k, .offsets = {0}, .zero_offsets = {0}};
    product.b = {.input = kB, .row_stride = transposed_ ? 1 : n, .offsets = {0}, .col_stride = transposed_ ? k : 1};
    product.a_matrix = product.b_matrix = {0};
    product.store = [=, kernels = &quantize_kernels(), to_floats = to_floats_, zero = zero_, range = range_](
                        const TileContext& tile, int32_t* sums, size_t /*product*/, size_t row, size_t column,
                        size_t count) {
      const float* scale = tile.input<float>(kScale) + column;
      const float* shift = tile.input<float>(kShift) + column;
      const size_t at = row * static_cast<size_t>(n) + column;
      if (to_floats) {
        kernels->scale_sums(sums, scale, shift, tile.output<float>(0) + at, count);
      } else {
        kernels->quantize_sums(sums, scale, shift, zero, range, tile.output<uint8_t>(0) + at, count);
      }
    };
    ops::plan_integer_product(context, product);
  }

 private:
  bool transposed_, to_floats_;
  int32_t zero_;
  QuantizedRange range_;
};

}  // namespace

void register_quantized_matmul(OpRegistry& registry) {
  ops::add_blocked<QuantizedMatMul>(registry, "QuantizedMatMul",
                                    "A:uint8, B:int8, shift:float32, scale:float32, a_zero:uint8 -> Y:T",
                                    {DType::uint8, DType::float32});
}

}  // namespace onnxrun
