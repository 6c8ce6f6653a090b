// NegativeLogLikelihoodLoss (versions 12, 13, 22) and SoftmaxCrossEntropyLoss (12, 13):
// https://onnx.ai/onnx/operators/onnx__NegativeLogLikelihoodLoss.html,
// https://onnx.ai/onnx/operators/onnx__SoftmaxCrossEntropyLoss.html. Sums of losses run in double. The mean is over
// what is not ignored, NaN where that is nothing; a target that is neither a class nor ignored is refused.
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "base/checked.h"
#include "graph/registry.h"
#include "ops/support/attention_shapes.h"
#include "ops/support/float_block.h"
#include "ops/support/indices.h"

namespace onnxrun {
namespace {

constexpr int64_t kColumns = 128;  // samples side by side

// Scores [N, C, inner]; sample s is entry s / inner, place s % inner.
struct Extents {
  int64_t classes, inner, samples;
};

template <bool HasSoftmax>
class ClassLoss : public Operator {
 public:
  explicit ClassLoss(AttributeReader& attributes)
      : reduction_(attributes.one_of("reduction", {"mean", "sum", "none"})) {
    if (attributes.has("ignore_index")) ignored_ = attributes.integer("ignore_index", 0);
  }

  void infer(InferContext& context) const override {
    const DimShape& scores = context.shape(0);
    const DimShape& target = context.shape(1);
    context.set_dtype(0, context.dtype(0));
    if (reduction_ != "none") context.set_shape(0, std::vector<Dim>{});
    context.set_output(1, context.dtype(0), scores);
    if (!scores.has_rank()) return;
    if (scores.rank() < 2) context.fail("the scores must be [N, C, ...], their shape is " + scores.to_string());
    std::vector<Dim> samples(scores.begin(), scores.end());
    samples.erase(samples.begin() + 1);
    bool fits = !target.has_rank() || target.rank() == samples.size();
    for (size_t k = 0; fits && k < target.rank(); ++k) fits = !ops::differ(target[k], samples[k]);
    if (!fits) context.fail("targets of " + target.to_string() + " do not fit scores of " + scores.to_string());
    if (context.has_input(2)) {
      const DimShape& weight = context.shape(2);
      if (weight.has_rank() && (weight.rank() != 1 || ops::differ(weight[0], scores[1]))) {
        context.fail("the weights must be [" + scores[1].to_string() + "], their shape is " + weight.to_string());
      }
    }
    if (reduction_ == "none") context.set_shape(0, std::move(samples));
  }

  void plan(PlanContext& context) const override {
    const Shape& scores = context.input(0).shape;
    const int64_t inner = scores.elements(2, scores.rank());
    const Extents extents = {scores[1], inner, scores[0] * inner};
    // The loss and the weight of each sample.
    context.share(static_cast<size_t>(extents.samples) * 2 * sizeof(double));
    const bool has_weight = context.has_input(2);
    const bool wants_log = context.wants(1);
    const int64_t pieces = ceil_div(inner, kColumns);
    const auto columns = static_cast<double>(std::min(inner, kColumns));
    const double cost = (HasSoftmax ? static_cast<double>(extents.classes) * columns * 6 : columns * 3) + 10;
    const DType dtype = context.input(0).dtype;
    const DType index_type = context.input(1).dtype;
    if (HasSoftmax) context.scratch(static_cast<size_t>(2 * kColumns) * sizeof(double));
    context.range(scores[0] * pieces, cost,
                  [=, ignored = ignored_](const TileContext& tile, int64_t begin, int64_t end) {
                    for (int64_t piece = begin; piece < end; ++piece) {
                      const int64_t entry = piece / pieces;
                      const int64_t first = piece % pieces * kColumns;
                      const int64_t n = std::min(kColumns, inner - first);
                      const int64_t at = entry * extents.classes * inner + first;
                      double* logarithms = nullptr;
                      if (HasSoftmax) {
                        logarithms = reinterpret_cast<double*>(tile.scratch);
                        log_sums(tile, dtype, extents, at, n, logarithms);
                        if (wants_log) write_log_probabilities(tile, dtype, extents, at, n, logarithms);
                      }
                      for (int64_t j = 0; j < n; ++j) {
                        const int64_t sample = entry * inner + first + j;
                        const int64_t label = ops::IndexReader(tile.input(1), index_type)[sample];
                        auto* result = reinterpret_cast<double*>(tile.shared) + 2 * sample;
                        result[0] = result[1] = 0;
                        if (ignored && label == *ignored) continue;
                        if (label < 0 || label >= extents.classes) {
                          RunContext::fail("target " + std::to_string(label) + " is none of " +
                                           std::to_string(extents.classes) + " classes");
                        }
                        double value = 0;
                        ops::load_floats(dtype, tile.input(0), at + label * inner + j, 1, &value);
                        if (HasSoftmax) value = value - logarithms[j] - logarithms[kColumns + j];
                        result[1] = 1;
                        if (has_weight) ops::load_floats(dtype, tile.input(2), label, 1, &result[1]);
                        result[0] = -value * result[1];
                      }
                    }
                  });
    reduce(context, extents.samples, dtype);
  }

 private:
  // The largest of `n` neighbours' scores, then the logarithms of their sums of exponentials relative to it.
  static void log_sums(const TileContext& tile, DType dtype, const Extents& extents, int64_t at, int64_t n,
                       double* result) {
    double* sums = result + kColumns;
    double row[kColumns];
    std::fill_n(result, n, -std::numeric_limits<double>::infinity());
    std::fill_n(sums, n, 0.0);
    for (int64_t c = 0; c < extents.classes; ++c) {
      ops::load_floats(dtype, tile.input(0), at + c * extents.inner, n, row);
      for (int64_t j = 0; j < n; ++j) result[j] = row[j] > result[j] || row[j] != row[j] ? row[j] : result[j];
    }
    for (int64_t c = 0; c < extents.classes; ++c) {
      ops::load_floats(dtype, tile.input(0), at + c * extents.inner, n, row);
      for (int64_t j = 0; j < n; ++j) sums[j] += std::exp(row[j] - result[j]);
    }
    for (int64_t j = 0; j < n; ++j) sums[j] = std::log(sums[j]);
  }

  static void write_log_probabilities(const TileContext& tile, DType dtype, const Extents& extents, int64_t at,
                                      int64_t n, const double* logarithms) {
    double row[kColumns];
    for (int64_t c = 0; c < extents.classes; ++c) {
      ops::load_floats(dtype, tile.input(0), at + c * extents.inner, n, row);
      for (int64_t j = 0; j < n; ++j) row[j] = row[j] - logarithms[j] - logarithms[kColumns + j];
      ops::store_floats(dtype, row, tile.output(1), at + c * extents.inner, n);
    }
  }

  void reduce(PlanContext& context, int64_t samples, DType dtype) const {
    if (reduction_ == "none") {
      return context.range(samples, 1, [dtype](const TileContext& tile, int64_t begin, int64_t end) {
        const auto* results = reinterpret_cast<const double*>(tile.shared);
        for (int64_t i = begin; i < end; ++i) ops::store_floats(dtype, results + 2 * i, tile.output(0), i, 1);
      });
    }
    context.phase(1, static_cast<double>(samples), [samples, dtype, is_mean = reduction_ == "mean"](const auto& tile) {
      const auto* results = reinterpret_cast<const double*>(tile.shared);
      double loss = 0;
      double weight = 0;
      for (int64_t i = 0; i < samples; ++i) {
        loss += results[2 * i];
        weight += results[2 * i + 1];
      }
      if (is_mean) loss /= weight;
      ops::store_floats(dtype, &loss, tile.output(0), 0, 1);
    });
  }

  std::string reduction_;
  std::optional<int64_t> ignored_;
};

constexpr DTypeSet kTargets = {DType::int32, DType::int64};

}  // namespace

void register_class_loss(OpRegistry& registry) {
  for (const auto& [versions, types] :
       {std::pair<std::vector<int64_t>, DTypeSet>{{12, 13}, kIeeeFloats}, {{22}, kFloats}}) {
    registry.add({.name = "NegativeLogLikelihoodLoss",
                  .versions = versions,
                  .signature = "input:T, target:Tind, weight:T? -> loss:T",
                  .types = {{.name = "T", .tensors = types}, {.name = "Tind", .tensors = kTargets}},
                  .create = make_operator<ClassLoss<false>>});
  }
  for (const auto& [version, types] : {std::pair<int64_t, DTypeSet>{12, kIeeeFloats}, {13, kFloats}}) {
    registry.add({.name = "SoftmaxCrossEntropyLoss",
                  .versions = {version},
                  .signature = "scores:T, labels:Tind, weights:T? -> output:T, log_prob:T?",
                  .types = {{.name = "T", .tensors = types}, {.name = "Tind", .tensors = kTargets}},
                  .create = make_operator<ClassLoss<true>>});
  }
}

}  // namespace onnxrun
