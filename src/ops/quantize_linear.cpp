// QuantizeLinear: https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html, versions 10 (one scale), 13 (per axis), 19
// (float8, 16-bit floats), 21 (blocks, output_dtype, 16 and 4 bits), 23 (precision, float4), 24 (float8e8m0 scales), 25
// (2 bits). The quotient is rounded to the type of the scale or `precision`: float for scales of float8e8m0, double for
// those of int32. NaN becomes the lowest integer.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/checked.h"
#include "base/dispatch_dtype.h"
#include "base/half.h"
#include "base/narrow_float.h"
#include "graph/registry.h"
#include "ops/support/convert.h"
#include "ops/support/elementwise.h"
#include "ops/support/quantization.h"

namespace onnxrun {
namespace {

constexpr int64_t kChunk = 512;  // elements that are converted at a time
constexpr DTypeSet kIntegerTargets = DTypeSet{DType::int8, DType::uint8, DType::int16, DType::uint16} | kNarrowIntegers;

DTypeSet targets(int64_t version) {
  DTypeSet types = {DType::int8, DType::uint8};
  if (version >= 19) types = types | kFloat8;
  if (version >= 21) types = types | DTypeSet{DType::int16, DType::uint16, DType::int4, DType::uint4};
  if (version >= 23) types = types | DTypeSet{DType::float4e2m1};
  if (version >= 25) types = types | kNarrowIntegers;
  return types;
}

float round_to(DType precision, double value) {
  if (precision == DType::float16) return Half(value);
  if (precision == DType::bfloat16) return BFloat16(value);
  return static_cast<float>(value);
}

// x / scale rounded to `precision`. Doubles, which a float does not hold, come so that what follows rounds as they
// would: to an integer here, to a narrow float by an odd last bit.
float divide(DType precision, double x, double scale, bool to_integer) {
  if (precision == DType::float64) {
    const double quotient = x / scale;
    if (!to_integer) return round_to_odd(quotient);
    return static_cast<float>(std::clamp(std::nearbyint(quotient), -0x1p20, 0x1p20));
  }
  return round_to(precision,
                  static_cast<double>(round_to(precision, x)) / static_cast<double>(round_to(precision, scale)));
}

class QuantizeLinear : public Operator {
 public:
  explicit QuantizeLinear(AttributeReader& attributes) : version_(attributes.version()) {
    if (version_ >= 13) axis_ = attributes.integer("axis", 1);
    if (version_ >= 19) saturate_ = attributes.flag("saturate", true);
    if (version_ >= 21) block_size_ = attributes.integer("block_size", 0);
    if (version_ >= 21) output_dtype_ = attributes.dtype("output_dtype", DType::undefined);
    if (version_ >= 23) precision_ = attributes.dtype("precision", DType::undefined);
  }

  void infer(InferContext& context) const override {
    context.set_shape(0, context.shape(0));
    DType dtype = context.has_input(2) ? context.dtype(2) : output_dtype_;
    if (!context.has_input(2) && dtype == DType::undefined) dtype = DType::uint8;
    if (output_dtype_ != DType::undefined && dtype != DType::undefined && dtype != output_dtype_) {
      context.fail("output_dtype is " + std::string(dtype_name(output_dtype_)) + ", the zero point of " +
                   std::string(dtype_name(dtype)));
    }
    if (dtype != DType::undefined && !targets(version_).contains(dtype)) {
      context.fail("cannot quantize to " + std::string(dtype_name(dtype)));
    }
    if (dtype != DType::undefined) context.set_dtype(0, dtype);
    const DTypeSet precisions = kFloats | DTypeSet{DType::undefined};
    if (!precisions.contains(precision_)) context.fail("precision cannot be " + std::string(dtype_name(precision_)));
    if (block_size_ < 0) context.fail("block_size cannot be " + std::to_string(block_size_));
    ops::check_scale(context, axis_, block_size_);
  }

  void plan(PlanContext& context) const override {
    const TensorType& scale = context.input(1);
    const DType target = context.output(0).dtype;
    const ops::ScaleGrid grid(context.input(0).shape, scale.shape, axis_, block_size_);
    const bool to_integer = kIntegerTargets.contains(target);

    // Scales as floats or doubles and zero points as int32 or floats, then elements.
    const auto count = static_cast<size_t>(scale.elements());
    const DType precision = scale_precision(scale.dtype);
    const DType wide = precision == DType::float64 ? DType::float64 : DType::float32;
    const size_t zeros = align_up(count * static_cast<size_t>(bit_size(wide)) / 8, 64);
    context.share(zeros + count * 4);
    const auto convert_scale = ops::make_convert(scale.dtype, wide);
    const bool has_zero = context.has_input(2);
    const auto convert_zero = ops::make_convert(target, to_integer ? DType::int32 : DType::float32);
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
    if (context.input(0).dtype == DType::float32 && precision == DType::float32 && to_integer && !is_packed(target)) {
      return plan_floats(context, grid, zeros);
    }
    plan_others(context, grid, precision, zeros);
  }

 private:
  DType scale_precision(DType scale) const {
    if (precision_ != DType::undefined) return precision_;
    if (scale == DType::float8e8m0) return DType::float32;
    return scale == DType::int32 ? DType::float64 : scale;
  }

  // float32 to 8 and 16 bits.
  static void plan_floats(PlanContext& context, const ops::ScaleGrid& grid, size_t zeros) {
    const DType target = context.output(0).dtype;
    dispatch_dtype<int8_t, uint8_t, int16_t, uint16_t>(target, [&]<class T>() {
      const auto* kernels = &quantize_kernels().of<T>();
      const QuantizedRange range = ops::quantized_range(target);
      context.range(context.output(0).elements(), 0.2, [=](const TileContext& tile, int64_t begin, int64_t end) {
        const auto* scales = reinterpret_cast<const float*>(tile.shared);
        const auto* zero_points = reinterpret_cast<const int32_t*>(tile.shared + zeros);
        grid.for_runs(begin, end, [&](int64_t first, int64_t n, int64_t scale, int64_t step) {
          kernels->quantize(tile.input<float>(0) + first, {scales + scale, step}, {zero_points + scale, step}, range,
                            tile.output<T>(0) + first, static_cast<size_t>(n));
        });
      });
    });
  }

  // Through a chunk of quotients, then of integers or floats.
  void plan_others(PlanContext& context, const ops::ScaleGrid& grid, DType precision, size_t zeros) const {
    const DType target = context.output(0).dtype;
    const bool to_integer = kIntegerTargets.contains(target);
    const auto widen = ops::make_convert(context.input(0).dtype, DType::float64);
    const auto narrow = ops::make_convert(to_integer ? DType::int32 : DType::float32, target, {.saturate = saturate_});
    const QuantizedRange range = to_integer ? ops::quantized_range(target) : QuantizedRange{};
    const int64_t elements = context.output(0).elements();
    const int source_bits = bit_size(context.input(0).dtype);
    const int target_bits = bit_size(target);
    context.range(ceil_div(elements, kChunk), 5.0 * kChunk, [=](const TileContext& tile, int64_t from, int64_t to) {
      double x[kChunk];
      float quotients[kChunk];
      int32_t integers[kChunk];
      for (int64_t chunk = from; chunk < to; ++chunk) {
        const int64_t begin = chunk * kChunk;
        const int64_t n = std::min(kChunk, elements - begin);
        widen(tile.input<std::byte>(0) + begin * source_bits / 8, x, 0, n);
        grid.for_runs(begin, begin + n, [&](int64_t first, int64_t count, int64_t scale, int64_t step) {
          for (int64_t i = 0; i < count; ++i) {
            const int64_t k = scale + i * step;
            const double divisor = precision == DType::float64 ? reinterpret_cast<const double*>(tile.shared)[k]
                                                               : reinterpret_cast<const float*>(tile.shared)[k];
            float& quotient = quotients[first - begin + i];
            quotient = divide(precision, x[first - begin + i], divisor, to_integer);
            const std::byte* zero = tile.shared + zeros + k * 4;
            if (to_integer) {
              const float sum = std::nearbyint(quotient) + static_cast<float>(*reinterpret_cast<const int32_t*>(zero));
              integers[first - begin + i] = !(sum > static_cast<float>(range.low))  ? range.low
                                            : sum >= static_cast<float>(range.high) ? range.high
                                                                                    : static_cast<int32_t>(sum);
            } else {
              quotient += *reinterpret_cast<const float*>(zero);
            }
          }
        });
        narrow(to_integer ? static_cast<const void*>(integers) : quotients,
               tile.output<std::byte>(0) + begin * target_bits / 8, 0, n);
      }
    });
  }

  int64_t version_;
  int64_t axis_ = 1;
  int64_t block_size_ = 0;
  bool saturate_ = true;
  DType output_dtype_ = DType::undefined;
  DType precision_ = DType::undefined;
};

}  // namespace

void register_quantize_linear(OpRegistry& registry) {
  const DTypeSet scales = {DType::float32, DType::float16, DType::bfloat16, DType::int32};
  const auto add = [&](int64_t version, std::string_view signature, std::vector<TypeConstraint> types) {
    types.push_back({.name = "Q", .tensors = targets(version)});
    registry.add({.name = "QuantizeLinear",
                  .versions = {version},
                  .signature = signature,
                  .types = std::move(types),
                  .create = make_operator<QuantizeLinear>});
  };
  for (const int64_t version : {10, 13}) {
    add(version, "x:T1, y_scale:float32, y_zero_point:Q? -> y:Q",
        {{.name = "T1", .tensors = {DType::float32, DType::int32}}});
  }
  for (const int64_t version : {19, 21}) {
    add(version, "x:T1, y_scale:T1, y_zero_point:Q? -> y:Q", {{.name = "T1", .tensors = scales}});
  }
  for (const int64_t version : {23, 24, 25}) {
    const DTypeSet more = version >= 24 ? DTypeSet{DType::float8e8m0} : DTypeSet{};
    add(version, "x:T1, y_scale:T2, y_zero_point:Q? -> y:Q",
        {{.name = "T1", .tensors = scales}, {.name = "T2", .tensors = scales | more}});
  }
}

}  // namespace onnxrun
