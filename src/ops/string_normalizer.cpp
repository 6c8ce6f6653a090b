// StringNormalizer: https://onnx.ai/onnx/operators/onnx__StringNormalizer.html, version 10. Case changes by Unicode's
// full mappings ("ß" becomes "SS"), in the language of `locale`, whatever locales the machine has. Stop words that are
// not case sensitive are compared by Unicode's case folding. Where nothing is left, of no elements too, one empty
// string.
#include <algorithm>
#include <optional>
#include <unordered_set>

#include "graph/registry.h"
#include "media/text_case.h"

namespace onnxrun {
namespace {

class StringNormalizer : public Operator {
 public:
  explicit StringNormalizer(AttributeReader& attributes)
      : action_(attributes.one_of("case_change_action", {"NONE", "LOWER", "UPPER"})),
        is_case_sensitive_(attributes.flag("is_case_sensitive", false)) {
    const std::string locale = attributes.string("locale", "en_US");
    const std::vector<std::string> words = attributes.strings("stopwords");
    if (action_ != "NONE" || (!is_case_sensitive_ && !words.empty())) mapper_.emplace(locale);
    for (const std::string& word : words) stop_words_.insert(key(word));
  }

  OperatorTraits traits() const override { return {.data_dependent = true}; }

  void infer(InferContext& context) const override {
    const DimShape& shape = context.shape(0);
    if (!shape.has_rank()) return;
    const bool is_row = shape.rank() == 2 && (!shape[0].is_number() || shape[0].is(1));
    if (shape.rank() != 1 && !is_row) context.fail("the input must be [C] or [1, C], it is " + shape.to_string());
    const Dim& words = shape[shape.rank() - 1];
    const Dim left =
        stop_words_.empty() && words.is_number() ? Dim(std::max<int64_t>(words.number(), 1)) : Dim::unknown();
    if (is_row) {
      context.set_shape(0, {1, left});
    } else {
      context.set_shape(0, {left});
    }
  }

  void run(RunContext& context) const override {
    const TensorView input = context.input(0);
    std::vector<std::string> kept;
    for (const std::string& word : input.values<std::string>()) {
      if (!stop_words_.empty() && stop_words_.count(key(word)) > 0) continue;
      kept.push_back(action_ == "NONE" ? word : action_ == "LOWER" ? mapper_->lower(word) : mapper_->upper(word));
    }
    if (kept.empty()) kept.emplace_back();
    Shape shape = input.shape;
    shape[shape.rank() - 1] = static_cast<int64_t>(kept.size());
    std::move(kept.begin(), kept.end(), context.output<std::string>(0, DType::string, shape));
  }

 private:
  std::string key(const std::string& word) const { return is_case_sensitive_ ? word : mapper_->folded(word); }

  std::string action_;
  bool is_case_sensitive_;
  std::optional<CaseMapper> mapper_;
  std::unordered_set<std::string> stop_words_;
};

}  // namespace

void register_string_normalizer(OpRegistry& registry) {
  registry.add({.name = "StringNormalizer",
                .versions = {10},
                .signature = "X:T -> Y:T",
                .types = {{.name = "T", .tensors = {DType::string}}},
                .create = make_operator<StringNormalizer>});
}

}  // namespace onnxrun
