// OneHotEncoder: https://onnx.ai/onnx/operators/onnx_aionnxml_OneHotEncoder.html, version 1. Floats lose their
// fraction; of equal categories the last counts.
#include <algorithm>

#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/convert.h"
#include "ops/support/label_map.h"
#include "ops/support/scores.h"

namespace onnxrun {
namespace {

class OneHotEncoder : public Operator {
 public:
  explicit OneHotEncoder(AttributeReader& attributes)
      : labels_(attributes, "cats_int64s", "cats_strings"),
        index_(labels_.tensor()),
        zeros_(attributes.flag("zeros", true)) {}

  void infer(InferContext& context) const override {
    const DType dtype = context.dtype(0);
    if (dtype != DType::undefined && (dtype == DType::string) != (index_.dtype() == DType::string)) {
      context.fail("the input has " + std::string(dtype_name(dtype)) + " elements, the categories are " +
                   std::string(dtype_name(index_.dtype())));
    }
    DimShape shape = context.shape(0);
    if (shape.has_rank()) {
      std::vector<Dim> dims = shape.dims();
      dims.emplace_back(static_cast<int64_t>(labels_.size()));
      shape = DimShape(std::move(dims));
    }
    context.set_output(0, DType::float32, shape);
  }

  void plan(PlanContext& context) const override {
    const DType dtype = context.input(0).dtype;
    const bool converts = dtype != index_.dtype();
    const auto convert = converts ? ops::make_convert(dtype, DType::int64) : ops::Convert();
    const auto categories = static_cast<int64_t>(labels_.size());
    context.range(
        context.input(0).elements(), static_cast<double>(categories) * 0.3 + 20,
        [=, this](const TileContext& tile, int64_t begin, int64_t end) {
          std::fill(tile.output<float>(0) + begin * categories, tile.output<float>(0) + end * categories, 0.0F);
          std::vector<int64_t> integers(converts ? static_cast<size_t>(end - begin) : 0);
          const auto width = static_cast<int64_t>(byte_size(dtype, 1));
          const std::byte* src = tile.input<std::byte>(0) + begin * width;
          if (converts) convert(src, integers.data(), 0, end - begin);
          for (int64_t i = begin; i < end; ++i) {
            const int64_t c = index_.find(converts ? static_cast<const void*>(integers.data()) : src, i - begin);
            if (c >= 0) tile.output<float>(0)[i * categories + c] = 1;
            if (c < 0 && !zeros_) RunContext::fail("element " + std::to_string(i) + " is of no category");
          }
        });
  }

 private:
  ops::ClassLabels labels_;
  ops::KeyIndex index_;
  bool zeros_;
};

}  // namespace

void register_one_hot_encoder(OpRegistry& registry) {
  registry.add({.domain = ops::kMlDomain,
                .name = "OneHotEncoder",
                .versions = {1},
                .signature = "X:T -> Y:float32",
                .types = {{.name = "T", .tensors = ops::kFeatureTypes | DTypeSet{DType::string}}},
                .create = make_operator<OneHotEncoder>});
}

}  // namespace onnxrun
