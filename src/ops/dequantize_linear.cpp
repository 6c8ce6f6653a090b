// DequantizeLinear: https://onnx.ai/onnx/operators/onnx__DequantizeLinear.html, versions 10 (one scale), 13 (per axis),
// 19 (float8, 16-bit floats), 21 (blocks, 16 and 4 bits), 23 (output_dtype, float4), 24 (float8e8m0 scales), 25 (2
// bits). The product is a float and rounded once to the output's type; without output_dtype, scales of float8e8m0 give
// float32. Zero points of float8 and int32 data are taken off like any other.
#include <algorithm>
#include <string>
#include <vector>

#include "base/checked.h"
#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "ops/support/convert.h"
#include "ops/support/quantization.h"

namespace onnxrun {
namespace {

constexpr int64_t kChunk = 512;  // elements that are converted at a time

DTypeSet sources(int64_t version) {
  DTypeSet types = {DType::int8, DType::uint8, DType::int32};
  if (version >= 19) types = types | kFloat8;
  if (version >= 21) types = types | DTypeSet{DType::int16, DType::uint16, DType::int4, DType::uint4};
  if (version >= 23) types = types | DTypeSet{DType::float4e2m1};
  if (version >= 25) types = types | kNarrowIntegers;
  return types;
}

class DequantizeLinear : public Operator {
 public:
  explicit DequantizeLinear(AttributeReader& attributes) {
    const int64_t version = attributes.version();
    if (version >= 13) axis_ = attributes.integer("axis", 1);
    if (version >= 21) block_size_ = attributes.integer("block_size", 0);
    if (version >= 23) output_dtype_ = attributes.dtype("output_dtype", DType::undefined);
  }

  void infer(InferContext& context) const override {
    context.set_shape(0, context.shape(0));
    const DTypeSet results = {DType::float32, DType::float16, DType::bfloat16};
    if (output_dtype_ != DType::undefined) {
      if (!results.contains(output_dtype_)) {
        context.fail("output_dtype cannot be " + std::string(dtype_name(output_dtype_)));
      }
      context.set_dtype(0, output_dtype_);
    } else if (context.dtype(1) != DType::undefined) {
      context.set_dtype(0, results.contains(context.dtype(1)) ? context.dtype(1) : DType::float32);
    }
    if (block_size_ < 0) context.fail("block_size cannot be " + std::to_string(block_size_));
    ops::check_scale(context, axis_, block_size_);
  }

  void plan(PlanContext& context) const override {
    const TensorType& scale = context.input(1);
    const DType source = context.input(0).dtype;
    const ops::ScaleGrid grid(context.input(0).shape, scale.shape, axis_, block_size_);
    const DTypeSet direct = {DType::int8, DType::uint8, DType::int16, DType::uint16};
    const bool is_direct = direct.contains(source) && context.output(0).dtype == DType::float32;
    const bool to_integer = direct.contains(source);

    // Scales as floats and zero points as int32 or floats, then elements.
    const auto count = static_cast<size_t>(scale.elements());
    const size_t zeros = align_up(count * sizeof(float), 64);
    context.share(zeros + count * 4);
    const bool has_zero = context.has_input(2);
    const auto convert_scale = ops::make_convert(scale.dtype, DType::float32);
    const auto convert_zero = ops::make_convert(source, to_integer ? DType::int32 : DType::float32);
    context.range(ceil_div(scale.elements(), kChunk), kChunk,
                  [=](const TileContext& tile, int64_t first, int64_t last) {
                    const int64_t begin = first * kChunk;
                    const int64_t end = std::min(last * kChunk, static_cast<int64_t>(count));
                    convert_scale(tile.input(1), tile.shared, begin, end);
                    if (has_zero) {
                      convert_zero(tile.input(2), tile.shared + zeros, begin, end);
                    } else {
                      std::fill_n(reinterpret_cast<int32_t*>(tile.shared + zeros) + begin, end - begin, 0);
                    }
                  });
    if (to_integer) {
      plan_integers(context, grid, zeros, is_direct);
    } else {
      plan_others(context, grid, zeros);
    }
  }

 private:
  // 8 and 16 bits.
  static void plan_integers(PlanContext& context, const ops::ScaleGrid& grid, size_t zeros, bool is_direct) {
    const DType result = context.output(0).dtype;
    dispatch_dtype<int8_t, uint8_t, int16_t, uint16_t>(context.input(0).dtype, [&]<class T>() {
      const auto* kernels = &quantize_kernels().of<T>();
      const auto narrow = ops::make_convert(DType::float32, result);
      context.range(context.output(0).elements(), is_direct ? 0.2 : 1,
                    [=](const TileContext& tile, int64_t begin, int64_t end) {
                      const auto* scales = reinterpret_cast<const float*>(tile.shared);
                      const auto* zero_points = reinterpret_cast<const int32_t*>(tile.shared + zeros);
                      float products[kChunk];
                      const auto multiply = [&](int64_t from, int64_t to, float* dst) {
                        grid.for_runs(from, to, [&](int64_t first, int64_t n, int64_t scale, int64_t step) {
                          kernels->dequantize(tile.input<T>(0) + first, {scales + scale, step},
                                              {zero_points + scale, step}, dst + first - from, static_cast<size_t>(n));
                        });
                      };
                      if (is_direct) return multiply(begin, end, tile.output<float>(0) + begin);
                      for (int64_t i = begin; i < end; i += kChunk) {
                        const int64_t n = std::min(kChunk, end - i);
                        multiply(i, i + n, products);
                        narrow(products, tile.output<uint16_t>(0) + i, 0, n);
                      }
                    });
    });
  }

  // Every other type, through floats.
  static void plan_others(PlanContext& context, const ops::ScaleGrid& grid, size_t zeros) {
    const auto widen = ops::make_convert(context.input(0).dtype, DType::float32);
    const auto narrow = ops::make_convert(DType::float32, context.output(0).dtype);
    const int64_t elements = context.output(0).elements();
    const int source_bits = bit_size(context.input(0).dtype);
    const int target_bits = bit_size(context.output(0).dtype);
    context.range(ceil_div(elements, kChunk), 2.0 * kChunk, [=](const TileContext& tile, int64_t from, int64_t to) {
      const auto* scales = reinterpret_cast<const float*>(tile.shared);
      const auto* zero_points = reinterpret_cast<const float*>(tile.shared + zeros);
      float x[kChunk];
      for (int64_t chunk = from; chunk < to; ++chunk) {
        const int64_t begin = chunk * kChunk;
        const int64_t n = std::min(kChunk, elements - begin);
        widen(tile.input<std::byte>(0) + begin * source_bits / 8, x, 0, n);
        grid.for_runs(begin, begin + n, [&](int64_t first, int64_t count, int64_t scale, int64_t step) {
          float* values = x + (first - begin);
          for (int64_t i = 0; i < count; ++i) {
            values[i] = (values[i] - zero_points[scale + i * step]) * scales[scale + i * step];
          }
        });
        narrow(x, tile.output<std::byte>(0) + begin * target_bits / 8, 0, n);
      }
    });
  }

  int64_t axis_ = 1;
  int64_t block_size_ = 0;
  DType output_dtype_ = DType::undefined;
};

}  // namespace

void register_dequantize_linear(OpRegistry& registry) {
  const DTypeSet floats = {DType::float32, DType::float16, DType::bfloat16};
  const auto add = [&](int64_t version, std::string_view signature, std::vector<TypeConstraint> types) {
    types.push_back({.name = "Q", .tensors = sources(version)});
    registry.add({.name = "DequantizeLinear",
                  .versions = {version},
                  .signature = signature,
                  .types = std::move(types),
                  .create = make_operator<DequantizeLinear>});
  };
  for (const int64_t version : {10, 13}) add(version, "x:Q, x_scale:float32, x_zero_point:Q? -> y:float32", {});
  for (const int64_t version : {19, 21}) {
    add(version, "x:Q, x_scale:T2, x_zero_point:Q? -> y:T2", {{.name = "T2", .tensors = floats}});
  }
  for (const int64_t version : {23, 24, 25}) {
    const DTypeSet more = version >= 24 ? DTypeSet{DType::float8e8m0} : DTypeSet{};
    add(version, "x:Q, x_scale:T2, x_zero_point:Q? -> y:T3",
        {{.name = "T2", .tensors = floats | more}, {.name = "T3", .tensors = floats}});
  }
}

}  // namespace onnxrun
