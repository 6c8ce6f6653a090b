// Cast: https://onnx.ai/onnx/operators/onnx__Cast.html, versions 1 (the type by name), 6, 9, 13, 19, 21, 23, 24, 25.
// CastLike: https://onnx.ai/onnx/operators/onnx__CastLike.html, versions 15, 19, 21, 23, 24, 25.
// What the standard leaves undefined is defined in support/convert.h.
#include <algorithm>

#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/convert.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

DTypeSet types_at(int64_t version) {
  const DTypeSet types = ops::types_since(version) - kComplex;
  return version < 9 ? types - DTypeSet{DType::string} : types;
}

// "FLOAT", "INT64", ...
DType dtype_by_format_name(const std::string& name) {
  if (name == "FLOAT") return DType::float32;
  if (name == "DOUBLE") return DType::float64;
  std::string lower;
  for (const char c : name) lower += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  const auto dtype = dtype_from_name(lower);
  if (!dtype) throw Error(ErrorCode::invalid_model, "attribute 'to' is '" + name + "', which is no element type");
  return *dtype;
}

ops::ConvertOptions read_options(AttributeReader& attributes) {
  ops::ConvertOptions options;
  if (attributes.version() >= 19) options.saturate = attributes.flag("saturate", true);
  if (attributes.version() >= 24) {
    const std::string mode = attributes.one_of("round_mode", {"up", "down", "nearest"});
    options.rounding = mode == "up" ? ScaleRounding::up : mode == "down" ? ScaleRounding::down : ScaleRounding::nearest;
  }
  return options;
}

void infer_cast(InferContext& context, DType to) {
  context.set_output(0, to, context.shape(0));
  const Content* elements = context.content(0);
  if (!elements) return;
  Content converted = *elements;
  if (to == DType::boolean) {
    for (Dim& element : converted) element = element.is_number() ? Dim(element.is(0) ? 0 : 1) : Dim::unknown();
  } else if (to == DType::int32) {
    for (Dim& element : converted) {
      if (element.is_number()) element = static_cast<int32_t>(element.number());
    }
  } else if (to != DType::int64) {
    return;
  }
  context.set_content(0, std::move(converted));
}

void plan_cast(PlanContext& context, const ops::ConvertOptions& options) {
  const DType from = context.input(0).dtype;
  const DType to = context.output(0).dtype;
  if (from == to) return context.view(0, 0);
  constexpr int64_t kGroup = 64;  // whole bytes of every packed type
  const int64_t count = context.output(0).elements();
  const bool is_slow = from == DType::string || to == DType::string;
  context.range(
      (count + kGroup - 1) / kGroup, is_slow ? 50.0 * kGroup : 0.5 * kGroup,
      [count, convert = ops::make_convert(from, to, options)](const TileContext& tile, int64_t begin, int64_t end) {
        convert(tile.input(0), tile.output(0), begin * kGroup, std::min(count, end * kGroup));
      });
}

class Cast : public Operator {
 public:
  explicit Cast(AttributeReader& attributes) : options_(read_options(attributes)) {
    const int64_t version = attributes.version();
    to_ = version < 6 ? dtype_by_format_name(attributes.string("to", "")) : attributes.dtype("to", DType::undefined);
    if (to_ == DType::undefined) throw Error(ErrorCode::invalid_model, "attribute 'to' is required and absent");
    if (!types_at(version).contains(to_)) {
      throw Error(ErrorCode::invalid_model,
                  "attribute 'to' is " + std::string(dtype_name(to_)) + ", which this version does not cast to");
    }
  }

  void infer(InferContext& context) const override { infer_cast(context, to_); }
  void plan(PlanContext& context) const override { plan_cast(context, options_); }

 private:
  ops::ConvertOptions options_;
  DType to_ = DType::undefined;
};

class CastLike : public Operator {
 public:
  explicit CastLike(AttributeReader& attributes) : options_(read_options(attributes)) {}

  void infer(InferContext& context) const override {
    if (context.dtype(1) != DType::undefined) infer_cast(context, context.dtype(1));
  }
  void plan(PlanContext& context) const override { plan_cast(context, options_); }

 private:
  ops::ConvertOptions options_;
};

}  // namespace

void register_cast(OpRegistry& registry) {
  for (const int64_t version : {1, 6, 9, 13, 19, 21, 23, 24, 25}) {
    registry.add({.name = "Cast",
                  .versions = {version},
                  .signature = "input:T1 -> output:T2",
                  .types = {{.name = "T1", .tensors = types_at(version)}, {.name = "T2", .tensors = types_at(version)}},
                  .create = make_operator<Cast>});
  }
  for (const int64_t version : {15, 19, 21, 23, 24, 25}) {
    registry.add({.name = "CastLike",
                  .versions = {version},
                  .signature = "input:T1, target_type:T2 -> output:T2",
                  .types = {{.name = "T1", .tensors = types_at(version)}, {.name = "T2", .tensors = types_at(version)}},
                  .create = make_operator<CastLike>});
  }
}

}  // namespace onnxrun
