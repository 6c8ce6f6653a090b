#pragma once

#include <cstddef>
#include <functional>

#include "graph/operator.h"
#include "kernels/unary/unary.h"

namespace onnxrun::ops {

// dst[i] = f(src[i]) for i < n.
using FloatRow = std::function<void(const float* src, float* dst, size_t n)>;
using DoubleRow = std::function<void(const double* src, double* dst, size_t n)>;

// Plans output 0 = f(input 0), elementwise, for the float types: float by `row`, float64 by `wide`, float16 and
// bfloat16 through float, rounded once. In place where that is possible.
void plan_float_unary(PlanContext& context, double nanoseconds_per_element, FloatRow row, DoubleRow wide);
// The same by the kernels of `kind`.
void plan_float_unary(PlanContext& context, double nanoseconds_per_element, UnaryKind kind, float alpha = 0,
                      float beta = 0);

// The same for any element type, by a function that knows it.
void plan_unary(PlanContext& context, double nanoseconds_per_element,
                std::function<void(const void* src, void* dst, size_t n)> row);

// `n` elements of float16 or bfloat16 as floats, and back, rounded to nearest even.
void widen(DType dtype, const void* src, float* dst, size_t n);
void narrow(DType dtype, const float* src, void* dst, size_t n);

// Output shape and element type are those of input 0.
void infer_same(InferContext& context);

// out[i] = f(a[i * a_step], b[i * b_step]) for i < n; steps are 0 or 1.
using BinaryRow =
    std::function<void(const void* a, ptrdiff_t a_step, const void* b, ptrdiff_t b_step, void* out, size_t n)>;

// Plans output 0 = f(input i, input j) with broadcasting. `row` is called with pieces of at most a few thousand
// elements. float16 and bfloat16 operands are widened where `row_dtype` is float32.
void plan_broadcast(PlanContext& context, size_t i, size_t j, DType row_dtype, double nanoseconds_per_element,
                    BinaryRow row);

// The same where operand j is read as if it had the shape `b_shape`.
void plan_broadcast_as(PlanContext& context, size_t i, size_t j, const Shape& b_shape, DType row_dtype,
                       double nanoseconds_per_element, BinaryRow row);

}  // namespace onnxrun::ops
