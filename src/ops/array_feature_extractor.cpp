// ArrayFeatureExtractor: https://onnx.ai/onnx/operators/onnx_aionnxml_ArrayFeatureExtractor.html, version 1. Indices of
// any shape count as a list; a vector is one row.
#include "graph/registry.h"
#include "ops/support/element_width.h"
#include "ops/support/scores.h"

namespace onnxrun {
namespace {

class ArrayFeatureExtractor : public Operator {
 public:
  explicit ArrayFeatureExtractor(AttributeReader& /*attributes*/) {}

  void infer(InferContext& context) const override {
    const DimShape& shape = context.shape(0);
    if (!shape.has_rank()) return;
    if (shape.rank() == 0) context.fail("the input must have a dimension");
    std::vector<Dim> dims = shape.dims();
    if (dims.size() == 1) dims.insert(dims.begin(), 1);
    dims.back() = context.shape(1).elements();
    context.set_shape(0, dims);
  }

  void plan(PlanContext& context) const override {
    const int64_t extent = context.input(0).shape.back();
    const int64_t count = context.input(1).elements();
    const int64_t rows = context.input(0).shape.elements(0, context.input(0).shape.rank() - 1);
    ops::dispatch_width(context.output(0).dtype, [&]<class T>() {
      context.range(count == 0 ? 0 : rows, static_cast<double>(count) * 0.7 + 2,
                    [=](const TileContext& tile, int64_t begin, int64_t end) {
                      const int64_t* indices = tile.input<int64_t>(1);
                      for (int64_t k = 0; k < count; ++k) {
                        if (indices[k] >= 0 && indices[k] < extent) continue;
                        RunContext::fail("index " + std::to_string(indices[k]) + " is not in [0, " +
                                         std::to_string(extent) + ")");
                      }
                      for (int64_t row = begin; row < end; ++row) {
                        const T* src = tile.input<T>(0) + row * extent;
                        T* dst = tile.output<T>(0) + row * count;
                        for (int64_t k = 0; k < count; ++k) dst[k] = src[indices[k]];
                      }
                    });
    });
  }
};

}  // namespace

void register_array_feature_extractor(OpRegistry& registry) {
  registry.add({.domain = ops::kMlDomain,
                .name = "ArrayFeatureExtractor",
                .versions = {1},
                .signature = "X:T, Y:int64 -> Z:T",
                .types = {{.name = "T", .tensors = ops::kFeatureTypes | DTypeSet{DType::string}}},
                .create = make_operator<ArrayFeatureExtractor>});
}

}  // namespace onnxrun
