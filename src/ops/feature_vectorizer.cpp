// FeatureVectorizer: https://onnx.ai/onnx/operators/onnx_aionnxml_FeatureVectorizer.html, version 1. An input with more
// features than inputdimensions says is cut, one with fewer filled up with zeros; without the attribute inputs are
// taken as they are. Inputs of more than two dimensions are [N, the rest].
#include <algorithm>

#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/convert.h"
#include "ops/support/scores.h"

namespace onnxrun {
namespace {

class FeatureVectorizer : public Operator {
 public:
  explicit FeatureVectorizer(AttributeReader& attributes) : widths_(attributes.integers("inputdimensions")) {
    for (const int64_t width : widths_) {
      if (width < 0) throw Error(ErrorCode::invalid_model, "attribute 'inputdimensions' has " + std::to_string(width));
    }
  }

  void infer(InferContext& context) const override {
    if (!widths_.empty() && widths_.size() != context.input_count()) {
      context.fail("attribute 'inputdimensions' must have an element for each input");
    }
    Dim rows = Dim::unknown();
    Dim columns = 0;
    for (size_t i = 0; i < context.input_count(); ++i) {
      const DimShape& shape = context.shape(i);
      if (shape.has_rank() && shape.rank() == 0) context.fail("an input has no dimension");
      if (shape.has_rank()) {
        const Dim own = shape.rank() == 1 ? Dim(1) : shape[0];
        if (own.is_number() && rows.is_number() && own.number() != rows.number()) {
          context.fail("inputs have " + rows.to_string() + " and " + own.to_string() + " rows");
        }
        if (!rows.is_number() && own.is_known()) rows = own;
      }
      const Dim width = !widths_.empty()   ? Dim(widths_[i])
                        : shape.has_rank() ? shape.elements(shape.rank() == 1 ? 0 : 1, shape.rank())
                                           : Dim::unknown();
      columns = columns + width;
    }
    context.set_output(0, DType::float32, {rows, columns});
  }

  void plan(PlanContext& context) const override {
    const int64_t rows = context.output(0).shape[0];
    const int64_t columns = context.output(0).shape[1];
    struct Part {
      int64_t begin, width, stride, copied;  // of a row of the output; of a row of the input
    };
    std::vector<Part> parts;
    int64_t begin = 0;
    for (size_t i = 0; i < context.input_count(); ++i) {
      const Shape& shape = context.input(i).shape;
      const int64_t stride = shape.elements(shape.rank() == 1 ? 0 : 1, shape.rank());
      const int64_t width = widths_.empty() ? stride : widths_[i];
      parts.push_back({begin, width, stride, std::min(width, stride)});
      begin += width;
    }
    const DType dtype = context.input(0).dtype;
    context.range(columns == 0 ? 0 : rows, static_cast<double>(columns) * 0.5 + 10,
                  [=, parts = std::move(parts), convert = ops::make_convert(dtype, DType::float32)](
                      const TileContext& tile, int64_t first, int64_t last) {
                    const auto size = static_cast<int64_t>(byte_size(dtype, 1));
                    for (int64_t row = first; row < last; ++row) {
                      for (size_t i = 0; i < parts.size(); ++i) {
                        const Part& part = parts[i];
                        float* dst = tile.output<float>(0) + row * columns + part.begin;
                        convert(tile.input<std::byte>(i) + row * part.stride * size, dst, 0, part.copied);
                        std::fill(dst + part.copied, dst + part.width, 0.0F);
                      }
                    }
                  });
  }

 private:
  std::vector<int64_t> widths_;
};

}  // namespace

void register_feature_vectorizer(OpRegistry& registry) {
  registry.add({.domain = ops::kMlDomain,
                .name = "FeatureVectorizer",
                .versions = {1},
                .signature = "X:T1... -> Y:float32",
                .types = {{.name = "T1", .tensors = ops::kFeatureTypes}},
                .create = make_operator<FeatureVectorizer>});
}

}  // namespace onnxrun
