// SwiGLU: https://onnx.ai/onnx/operators/onnx__SwiGLU.html, version 28.
#include <algorithm>
#include <cmath>

#include "graph/registry.h"
#include "kernels/binary/binary.h"
#include "kernels/unary/unary.h"
#include "ops/support/binary_row.h"

namespace onnxrun {
namespace {

constexpr size_t kChunk = 512;  // elements at a time: the product must not meet a half-written output

class SwiGlu : public Operator {
 public:
  explicit SwiGlu(AttributeReader& attributes) : alpha_(attributes.number("alpha", 1)) {}

  void infer(InferContext& context) const override {
    bool conflict = false;
    const Type type = merge(context.type(0), context.type(1), conflict);
    if (conflict) {
      context.fail("the inputs' shapes " + context.shape(0).to_string() + " and " + context.shape(1).to_string() +
                   " must be the same");
    }
    context.set_type(0, type);
  }

  void plan(PlanContext& context) const override {
    const DType dtype = ops::row_dtype(context.input(0).dtype);
    if (dtype == DType::float64) {
      const auto gate = [alpha = static_cast<double>(alpha_)](double a, double b) {
        return a / (1 + std::exp(-alpha * a)) * b;
      };
      return ops::plan_broadcast(context, 0, 1, dtype, 10, ops::binary_row_of<double, double>(gate));
    }
    ops::plan_broadcast(
        context, 0, 1, dtype, 0.5,
        [alpha = alpha_](const void* a, ptrdiff_t a_step, const void* b, ptrdiff_t b_step, void* out, size_t n) {
          float gates[kChunk];
          for (size_t i = 0; i < n; i += kChunk) {
            const size_t count = std::min(kChunk, n - i);
            const auto at = static_cast<ptrdiff_t>(i);
            unary_f32(UnaryKind::silu)(static_cast<const float*>(a) + at * a_step, gates, a_step == 0 ? 1 : count,
                                       alpha, 0);
            binary_row(BinaryKind::mul, DType::float32)(gates, a_step, static_cast<const float*>(b) + at * b_step,
                                                        b_step, static_cast<float*>(out) + i, count);
          }
        });
  }

 private:
  float alpha_;
};

}  // namespace

void register_swi_glu(OpRegistry& registry) {
  registry.add({.name = "SwiGLU",
                .versions = {28},
                .signature = "A:T, B:T -> Y:T",
                .types = {{.name = "T", .tensors = kFloats}},
                .create = make_operator<SwiGlu>});
}

}  // namespace onnxrun
