#include "ops/support/quantization.h"

#include <algorithm>

#include "base/checked.h"
#include "base/half.h"
#include "onnxrun/error.h"
#include "ops/support/shape_rules.h"

namespace onnxrun::ops {
namespace {

[[noreturn]] void refuse(const std::string& scale, const std::string& data) {
  throw Error(ErrorCode::invalid_model, "a scale of shape " + scale + " does not fit data of shape " + data);
}

}  // namespace

QuantizedRange quantized_range(DType dtype) {
  const int bits = bit_size(dtype);
  const bool is_signed = dtype == DType::int2 || dtype == DType::int4 || dtype == DType::int8 || dtype == DType::int16;
  const int32_t low = is_signed ? -(1 << (bits - 1)) : 0;
  return {low, low + (1 << bits) - 1};
}

ScaleGrid::ScaleGrid(const Shape& data, const Shape& scale, int64_t axis, int64_t block_size) {
  if (scale.rank() < 2 && scale.elements() == 1) {
    inner_ = std::max<int64_t>(1, data.elements());
    return;
  }
  const size_t at = normalize_axis(axis, data.rank());
  extent_ = data[at];
  inner_ = data.elements(at + 1, data.rank());
  if (block_size == 0) {
    if (scale.rank() != 1 || scale[0] != extent_) refuse(scale.to_string(), data.to_string());
    block_stride_ = 1;
    return;
  }
  if (scale.rank() != data.rank()) refuse(scale.to_string(), data.to_string());
  block_size = std::min(block_size, std::max<int64_t>(1, extent_));
  for (size_t k = 0; k < data.rank(); ++k) {
    if (scale[k] != (k == at ? ceil_div(extent_, block_size) : data[k])) refuse(scale.to_string(), data.to_string());
  }
  block_ = block_size;
  outer_stride_ = scale[at] * inner_;
  block_stride_ = inner_;
  inner_stride_ = 1;
}

void check_scale(const InferContext& context, int64_t axis, int64_t block_size) {
  const DimShape& data = context.shape(0);
  const DimShape& scale = context.shape(1);
  if (context.has_input(2)) {
    const DimShape& zero = context.shape(2);
    const bool single = zero.elements().is(1) && scale.elements().is(1);
    if (zero.is_concrete() && scale.is_concrete() && !single && !(zero == scale)) {
      context.fail("the zero point has the shape " + zero.to_string() + ", the scale " + scale.to_string());
    }
  }
  if (data.is_concrete() && scale.is_concrete()) {
    ScaleGrid(data.concrete(), scale.concrete(), axis, block_size);
  } else if (data.has_rank() && scale.has_rank() && scale.rank() > 1 && scale.rank() != data.rank()) {
    refuse(scale.to_string(), data.to_string());
  }
}

float read_float(DType dtype, const void* data, int64_t i) {
  if (dtype == DType::float16) return static_cast<const Half*>(data)[i];
  if (dtype == DType::bfloat16) return static_cast<const BFloat16*>(data)[i];
  return static_cast<const float*>(data)[i];
}

}  // namespace onnxrun::ops
