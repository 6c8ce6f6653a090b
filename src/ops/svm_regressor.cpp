// SVMRegressor: https://onnx.ai/onnx/operators/onnx_aionnxml_SVMRegressor.html, version 1. Without support vectors the
// model is linear in its coefficients. A one-class model gives 1 for inliers, where the score is above 0, and -1.
#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/scores.h"
#include "ops/support/svm.h"

namespace onnxrun {
namespace {

class SVMRegressor : public Operator {
 public:
  explicit SVMRegressor(AttributeReader& attributes)
      : transform_(ops::read_post_transform(attributes)),
        vectors_(attributes),
        coefficients_(attributes.numbers("coefficients")),
        rho_(attributes.numbers("rho")),
        is_one_class_(attributes.flag("one_class", false)) {
    const int64_t count = attributes.integer("n_supports", 0);
    if (count < 0) throw Error(ErrorCode::invalid_model, "attribute 'n_supports' is negative");
    if (rho_.empty()) throw Error(ErrorCode::invalid_model, "attribute 'rho' is required and absent");
    vectors_.set_count(static_cast<size_t>(count));
    if (coefficients_.empty() || (count > 0 && coefficients_.size() != static_cast<size_t>(count))) {
      throw Error(ErrorCode::invalid_model, "there are " + std::to_string(coefficients_.size()) + " coefficients for " +
                                                std::to_string(count) + " support vectors");
    }
  }

  void infer(InferContext& context) const override {
    const ops::FeatureShape shape = ops::feature_shape(context);
    const size_t features = vectors_.count() > 0 ? vectors_.features() : coefficients_.size();
    if (shape.columns.is_number() && shape.columns.number() != static_cast<int64_t>(features)) {
      context.fail("the input has " + shape.columns.to_string() + " features, the model " + std::to_string(features));
    }
    context.set_output(0, DType::float32, {shape.rows, 1});
  }

  void plan(PlanContext& context) const override {
    const ops::FeatureRows features(context);
    const size_t scratch = context.scratch(vectors_.count() * sizeof(float));
    const auto work = static_cast<double>((vectors_.count() + 1) * features.columns());
    context.range(features.rows(), work * 0.4 + static_cast<double>(vectors_.count()) * 10 + 20,
                  [=, this](const TileContext& tile, int64_t begin, int64_t end) {
                    for (int64_t i = begin; i < end; ++i) {
                      const float* row = features.row(tile, i);
                      float& score = tile.output<float>(0)[i];
                      score = rho_[0] + sum(row, reinterpret_cast<float*>(tile.scratch + scratch));
                      if (is_one_class_) score = score > 0 ? 1.0F : -1.0F;
                      ops::apply(transform_, {&score, 1});
                    }
                  });
  }

 private:
  float sum(const float* row, float* kernels) const {
    if (vectors_.count() == 0) return ops::dot_product(coefficients_.data(), row, coefficients_.size());
    vectors_.evaluate(row, kernels);
    return ops::dot_product(coefficients_.data(), kernels, vectors_.count());
  }

  ops::PostTransform transform_;
  ops::SupportVectors vectors_;
  std::vector<float> coefficients_;
  std::vector<float> rho_;
  bool is_one_class_;
};

}  // namespace

void register_svm_regressor(OpRegistry& registry) {
  registry.add({.domain = ops::kMlDomain,
                .name = "SVMRegressor",
                .versions = {1},
                .signature = "X:T -> Y:float32",
                .types = {{.name = "T", .tensors = ops::kFeatureTypes}},
                .create = make_operator<SVMRegressor>});
}

}  // namespace onnxrun
