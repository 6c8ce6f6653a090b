// SVMClassifier: https://onnx.ai/onnx/operators/onnx_aionnxml_SVMClassifier.html, version 1. The machines come in
// libsvm's order: coefficients [classes - 1, vectors], vectors by class, one machine for each pair of classes i < j,
// which votes for i where its score is above 0. Class with the most votes, the first of equal ones. Without prob_a the
// scores are the machines', for two classes -s and s. Without vectors_per_class the model is linear: a row of
// coefficients and rho[0] for each class; with two classes the second is chosen where the larger score passes 0, or 0.5
// where no coefficient is negative.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/scores.h"
#include "ops/support/svm.h"

namespace onnxrun {
namespace {

class SVMClassifier : public Operator {
 public:
  explicit SVMClassifier(AttributeReader& attributes)
      : labels_(attributes, "classlabels_ints", "classlabels_strings"),
        transform_(ops::read_post_transform(attributes)),
        vectors_(attributes),
        coefficients_(attributes.numbers("coefficients")),
        rho_(attributes.numbers("rho")),
        prob_a_(attributes.numbers("prob_a")),
        prob_b_(attributes.numbers("prob_b")),
        per_class_(attributes.integers("vectors_per_class")) {
    const size_t classes = labels_.size();
    size_t vectors = 0;
    for (const int64_t count : per_class_) {
      if (count < 0 || static_cast<size_t>(count) > coefficients_.size())
        refuse("attribute 'vectors_per_class' has " + std::to_string(count));
      first_.push_back(vectors);
      vectors += static_cast<size_t>(count);
    }
    vectors_.set_count(vectors);
    if (is_linear()) {
      if (coefficients_.empty() || coefficients_.size() % classes != 0) {
        refuse("there are " + std::to_string(coefficients_.size()) + " coefficients for " + std::to_string(classes) +
               " classes");
      }
      if (rho_.empty()) refuse("attribute 'rho' is required and absent");
      is_positive_ = std::none_of(coefficients_.begin(), coefficients_.end(), [](float x) { return x < 0; });
      return;
    }
    if (per_class_.size() != classes) refuse("attribute 'vectors_per_class' must have an element for each class label");
    if (coefficients_.size() != (classes - 1) * vectors) {
      refuse("there are " + std::to_string(coefficients_.size()) + " coefficients for " + std::to_string(vectors) +
             " support vectors of " + std::to_string(classes) + " classes");
    }
    if (rho_.size() != pairs()) refuse("attribute 'rho' must have an element for each pair of classes");
    if (prob_a_.size() != prob_b_.size() || (!prob_a_.empty() && prob_a_.size() != pairs())) {
      refuse("attributes 'prob_a' and 'prob_b' must have an element for each pair of classes");
    }
  }

  void infer(InferContext& context) const override {
    const ops::FeatureShape shape = ops::feature_shape(context);
    const size_t features = is_linear() ? coefficients_.size() / labels_.size() : vectors_.features();
    if (shape.columns.is_number() && shape.columns.number() != static_cast<int64_t>(features)) {
      context.fail("the input has " + shape.columns.to_string() + " features, the model " + std::to_string(features));
    }
    context.set_output(0, labels_.dtype(), {shape.rows});
    context.set_output(1, DType::float32, {shape.rows, static_cast<int64_t>(score_count())});
  }

  void plan(PlanContext& context) const override {
    const ops::FeatureRows features(context);
    const size_t kernels = context.scratch(vectors_.count() * sizeof(float));
    const size_t scratch = context.scratch(std::max(pairs(), labels_.size()) * sizeof(float));
    const auto work = static_cast<double>((vectors_.count() + labels_.size()) * features.columns());
    context.range(
        features.rows(), work * 0.4 + static_cast<double>(vectors_.count()) * 10 + 100,
        [=, this, wants_labels = context.wants(0), wants_scores = context.wants(1)](const TileContext& tile,
                                                                                    int64_t begin, int64_t end) {
          auto* values = reinterpret_cast<float*>(tile.scratch + kernels);
          auto* scores = reinterpret_cast<float*>(tile.scratch + scratch);
          for (int64_t i = begin; i < end; ++i) {
            const float* row = features.row(tile, i);
            const size_t best =
                is_linear() ? score_linear(row, features.columns(), scores) : score_pairs(row, values, scores);
            if (wants_labels) labels_.write(best, tile.output(0), i);
            if (!wants_scores) continue;
            std::copy_n(scores, score_count(), tile.output<float>(1) + i * static_cast<int64_t>(score_count()));
          }
        });
  }

 private:
  [[noreturn]] static void refuse(const std::string& message) { throw Error(ErrorCode::invalid_model, message); }

  bool is_linear() const { return vectors_.count() == 0; }
  size_t pairs() const { return labels_.size() * (labels_.size() - 1) / 2; }
  size_t score_count() const {
    return is_linear() || !prob_a_.empty() || labels_.size() == 2 ? labels_.size() : pairs();
  }

  size_t score_linear(const float* row, size_t features, float* scores) const {
    const size_t classes = labels_.size();
    for (size_t c = 0; c < classes; ++c) {
      scores[c] = rho_[0] + ops::dot_product(row, &coefficients_[c * features], features);
    }
    size_t best = ops::largest({scores, classes});
    if (classes == 2 && prob_a_.empty() && (is_positive_ ? scores[best] >= 0.5F : scores[best] > 0)) best = 1;
    ops::apply(transform_, {scores, classes});
    return best;
  }

  size_t score_pairs(const float* row, float* kernels, float* scores) const {
    const size_t classes = labels_.size();
    vectors_.evaluate(row, kernels);
    std::vector<float> votes(classes);
    size_t pair = 0;
    for (size_t i = 0; i < classes; ++i) {
      for (size_t j = i + 1; j < classes; ++j, ++pair) {
        scores[pair] = rho_[pair] + part(kernels, j - 1, i) + part(kernels, i, j);
        votes[scores[pair] > 0 ? i : j] += 1;
      }
    }
    if (!prob_a_.empty()) estimate(scores);
    if (prob_a_.empty() && classes == 2) {
      ops::split_score(transform_, scores[0], transform_ == ops::PostTransform::none, scores);
    } else {
      ops::apply(transform_, {scores, score_count()});
    }
    return ops::largest(votes);
  }

  // What the vectors of class c add to a machine, with the coefficients in row `row`.
  float part(const float* kernels, size_t row, size_t c) const {
    const float* coefficients = &coefficients_[row * vectors_.count() + first_[c]];
    return ops::dot_product(coefficients, kernels + first_[c], static_cast<size_t>(per_class_[c]));
  }

  // The machines' scores become the classes' probabilities.
  void estimate(float* scores) const {
    const size_t classes = labels_.size();
    std::vector<double> pairwise(classes * classes);
    size_t pair = 0;
    for (size_t i = 0; i < classes; ++i) {
      for (size_t j = i + 1; j < classes; ++j, ++pair) {
        const double x = static_cast<double>(scores[pair]) * prob_a_[pair] + prob_b_[pair];
        const double p = std::clamp(1 / (1 + std::exp(x)), 1e-7, 1 - 1e-7);
        pairwise[i * classes + j] = p;
        pairwise[j * classes + i] = 1 - p;
      }
    }
    const std::vector<double> estimates = ops::couple_pairwise(pairwise, classes);
    std::transform(estimates.begin(), estimates.end(), scores, [](double p) { return static_cast<float>(p); });
  }

  ops::ClassLabels labels_;
  ops::PostTransform transform_;
  ops::SupportVectors vectors_;
  std::vector<float> coefficients_;
  std::vector<float> rho_;
  std::vector<float> prob_a_;
  std::vector<float> prob_b_;
  std::vector<int64_t> per_class_;
  std::vector<size_t> first_;  // vector of each class
  bool is_positive_ = false;
};

}  // namespace

void register_svm_classifier(OpRegistry& registry) {
  registry.add({.domain = ops::kMlDomain,
                .name = "SVMClassifier",
                .versions = {1},
                .signature = "X:T1 -> Y:T2, Z:float32",
                .types = {{.name = "T1", .tensors = ops::kFeatureTypes},
                          {.name = "T2", .tensors = {DType::string, DType::int64}}},
                .create = make_operator<SVMClassifier>});
}

}  // namespace onnxrun
