// QLinearMatMul: https://onnx.ai/onnx/operators/onnx__QLinearMatMul.html, versions 10, 21 (16-bit scales, float8). Sums
// of 8-bit integers are exact in int32; they are scaled by the float a_scale * b_scale / y_scale, rounded to nearest
// even, and then shifted by the zero point. float8 operands are multiplied in double and saturate.
#include <algorithm>
#include <cmath>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/checked.h"
#include "base/dispatch_dtype.h"
#include "base/narrow_float.h"
#include "graph/registry.h"
#include "ops/support/convert.h"
#include "ops/support/integer_matmul.h"
#include "ops/support/quantization.h"

namespace onnxrun {
namespace {

enum Input : size_t { kA, kAScale, kAZero, kB, kBScale, kBZero, kYScale, kYZero };

// The factors of a product's row of sums.
struct Factors {
  ops::MatMulExtents extents;
  ops::MatrixParameter a, b;
  DType dtype;

  explicit Factors(const PlanContext& context)
      : extents(context.input(kA).shape, context.input(kB).shape),
        a(ops::matrix_parameter(context.input(kAScale).shape, context.input(kA).shape, true)),
        b(ops::matrix_parameter(context.input(kBScale).shape, context.input(kB).shape, false)),
        dtype(context.input(kAScale).dtype) {}

  float at(const TileContext& tile, size_t product, size_t row, size_t column) const {
    const auto read = [&](size_t input, size_t i) {
      return ops::read_float(dtype, tile.input(input), static_cast<int64_t>(i));
    };
    const float a_scale = read(kAScale, a.offsets[extents.a_matrix[product]] + row * a.step);
    const float b_scale = read(kBScale, b.offsets[extents.b_matrix[product]] + column * b.step);
    return a_scale * b_scale / read(kYScale, 0);
  }
};

class QLinearMatMul : public Operator {
 public:
  explicit QLinearMatMul(AttributeReader& /*attributes*/) {}

  void infer(InferContext& context) const override {
    context.set_shape(0, ops::matmul_shape(context.shape(kA), context.shape(kB)));
    for (const size_t i : {kAScale, kAZero}) ops::check_matrix_parameter(context, i, kA, true);
    for (const size_t i : {kBScale, kBZero}) ops::check_matrix_parameter(context, i, kB, false);
    for (const size_t i : {kYScale, kYZero}) {
      const Dim count = context.shape(i).elements();
      if (count.is_number() && !count.is(1)) context.fail("the output's scale and zero point must be one element each");
    }
  }

  void plan(PlanContext& context) const override {
    for (const size_t i : {kA, kB, kYZero}) {
      if (kFloat8.contains(context.input(i).dtype)) return plan_floats(context);
    }
    dispatch_dtype<int8_t, uint8_t>(context.output(0).dtype, [&]<class T>() { plan_integers<T>(context); });
  }

 private:
  template <class T>
  static void plan_integers(PlanContext& context) {
    ops::IntegerProduct product = ops::integer_matmul(context, kA, kAZero, kB, kBZero);
    if (context.input(kAScale).elements() == 1) ops::join_rows(product);
    const QuantizedRange range = ops::quantized_range(context.output(0).dtype);
    product.store = [=, factors = Factors(context), kernels = &quantize_kernels().of<T>(), m = product.m,
                     columns = product.n](const TileContext& tile, int32_t* sums, size_t index, size_t row,
                                          size_t column, size_t n) {
      constexpr size_t kPiece = 256;
      float piece[kPiece];
      for (size_t j = 0; j < n; j += kPiece) {
        const size_t count = std::min(kPiece, n - j);
        for (size_t i = 0; i < (factors.b.step ? count : 1); ++i) {
          piece[i] = factors.at(tile, index, row, column + j + i);
        }
        kernels->requantize(sums + j, 0, {piece, static_cast<ptrdiff_t>(factors.b.step)}, *tile.input<T>(kYZero), range,
                            tile.output<T>(0) + (index * m + row) * columns + column + j, count);
      }
    };
    ops::plan_integer_product(context, product);
  }

  // Operands of float8, alone or among integers: everything becomes a float first.
  static void plan_floats(PlanContext& context) {
    size_t begin[8] = {};
    size_t shared = 0;
    for (const size_t i : {kA, kAZero, kB, kBZero, kYZero}) {
      begin[i] = shared;
      shared = align_up(shared + static_cast<size_t>(context.input(i).elements()) * sizeof(float), kAlignment);
    }
    context.share(shared);
    for (const size_t i : {kA, kAZero, kB, kBZero, kYZero}) {
      const auto widen = ops::make_convert(context.input(i).dtype, DType::float32);
      context.range(context.input(i).elements(), 3,
                    [=, at = begin[i]](const TileContext& tile, int64_t from, int64_t to) {
                      widen(tile.input(i), tile.shared + at, from, to);
                    });
    }
    const DType target = context.output(0).dtype;
    const bool is_float = kFloat8.contains(target);
    const auto narrow = ops::make_convert(DType::float32, target);
    const QuantizedRange range = is_float ? QuantizedRange{} : ops::quantized_range(target);
    const Factors factors(context);
    const auto a_zero = ops::matrix_parameter(context.input(kAZero).shape, context.input(kA).shape, true);
    const auto b_zero = ops::matrix_parameter(context.input(kBZero).shape, context.input(kB).shape, false);
    const ops::MatMulExtents& extents = factors.extents;
    context.range(context.output(0).elements(), static_cast<double>(extents.k) * 1.5 + 10,
                  [=, m = extents.m, n = extents.n, depth = extents.k, at = std::vector<size_t>(begin, begin + 8)](
                      const TileContext& tile, int64_t from, int64_t to) {
                    const auto floats = [&](size_t i) { return reinterpret_cast<const float*>(tile.shared + at[i]); };
                    for (int64_t i = from; i < to; ++i) {
                      const size_t product = static_cast<size_t>(i) / (m * n);
                      const size_t row = static_cast<size_t>(i) / n % m;
                      const size_t column = static_cast<size_t>(i) % n;
                      const size_t a_matrix = factors.extents.a_matrix[product];
                      const size_t b_matrix = factors.extents.b_matrix[product];
                      const float* a = floats(kA) + (a_matrix * m + row) * depth;
                      const float* b = floats(kB) + b_matrix * depth * n + column;
                      const double za = floats(kAZero)[a_zero.offsets[a_matrix] + row * a_zero.step];
                      const double zb = floats(kBZero)[b_zero.offsets[b_matrix] + column * b_zero.step];
                      double sum = 0;
                      for (size_t p = 0; p < depth; ++p) sum += (a[p] - za) * (b[p * n] - zb);
                      const double scaled = sum * static_cast<double>(factors.at(tile, product, row, column));
                      const double zero = *floats(kYZero);
                      float result = round_to_odd(scaled + zero);
                      if (!is_float) {
                        const double shifted = std::nearbyint(scaled) + zero;
                        result =
                            static_cast<float>(shifted > range.low ? std::min<double>(shifted, range.high) : range.low);
                      }
                      narrow(&result, tile.output<uint8_t>(0) + i, 0, 1);
                    }
                  });
  }
};

}  // namespace

void register_qlinear_matmul(OpRegistry& registry) {
  const DTypeSet bytes = {DType::int8, DType::uint8};
  const auto add = [&](int64_t version, const DTypeSet& scales, const DTypeSet& types) {
    registry.add({.name = "QLinearMatMul",
                  .versions = {version},
                  .signature = "a:T1, a_scale:TS, a_zero_point:T1, b:T2, b_scale:TS, b_zero_point:T2, y_scale:TS, "
                               "y_zero_point:T3 -> y:T3",
                  .types = {{.name = "TS", .tensors = scales},
                            {.name = "T1", .tensors = types},
                            {.name = "T2", .tensors = types},
                            {.name = "T3", .tensors = types}},
                  .create = make_operator<QLinearMatMul>});
  };
  add(10, {DType::float32}, bytes);
  add(21, {DType::float32, DType::float16, DType::bfloat16}, bytes | kFloat8);
}

}  // namespace onnxrun
