// TfIdfVectorizer: https://onnx.ai/onnx/operators/onnx__TfIdfVectorizer.html, version 9. An n-gram is found where its
// items stand 1 + s apart for some s up to max_skip_count, a single item once. The last of equal n-grams of the pool
// counts.
#include <algorithm>
#include <unordered_map>

#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/label_map.h"

namespace onnxrun {
namespace {

constexpr int32_t kNone = -1;

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::invalid_model, message); }

// The n-grams of a pool, as a tree with an edge for each item.
class NgramTree {
 public:
  NgramTree() { grams_.push_back(kNone); }

  void add(const std::vector<int32_t>& items, int32_t gram) {
    int32_t node = 0;
    for (const int32_t item : items) {
      int32_t& behind = edge(node, item);
      if (behind == kNone) {
        behind = static_cast<int32_t>(grams_.size());
        grams_.push_back(kNone);
      }
      node = behind;
    }
    grams_[static_cast<size_t>(node)] = gram;
  }

  // The node behind the edge, or kNone.
  int32_t next(int32_t node, int32_t item) const {
    if (node == 0) return static_cast<size_t>(item) < first_.size() ? first_[static_cast<size_t>(item)] : kNone;
    const auto edge = edges_.find(key(node, item));
    return edge == edges_.end() ? kNone : edge->second;
  }
  // The n-gram that ends at the node, or kNone.
  int32_t gram(int32_t node) const { return grams_[static_cast<size_t>(node)]; }

 private:
  // The node behind the edge, which is made.
  int32_t& edge(int32_t node, int32_t item) {
    if (node != 0) return edges_.try_emplace(key(node, item), kNone).first->second;
    first_.resize(std::max(first_.size(), static_cast<size_t>(item) + 1), kNone);
    return first_[static_cast<size_t>(item)];
  }
  static uint64_t key(int32_t node, int32_t item) {
    return uint64_t{static_cast<uint32_t>(node)} << 32 | static_cast<uint32_t>(item);
  }

  std::vector<int32_t> first_;                   // the edges of node 0, by item
  std::unordered_map<uint64_t, int32_t> edges_;  // and the others
  std::vector<int32_t> grams_;
};

class TfIdfVectorizer : public Operator {
 public:
  explicit TfIdfVectorizer(AttributeReader& attributes)
      : mode_(read_mode(attributes)),
        shortest_(attributes.required_integer("min_gram_length")),
        longest_(attributes.required_integer("max_gram_length")),
        max_skip_(attributes.required_integer("max_skip_count")),
        columns_(attributes.integers("ngram_indexes")),
        weights_(attributes.numbers("weights")),
        pool_(read_pool(attributes)) {
    if (shortest_ < 1 || longest_ < shortest_ || max_skip_ < 0) {
      refuse("n-grams of length " + std::to_string(shortest_) + " to " + std::to_string(longest_) + " with " +
             std::to_string(max_skip_) + " skips");
    }
    for (const int64_t column : columns_) {
      if (column < 0 || column >= INT32_MAX) refuse("attribute 'ngram_indexes' has " + std::to_string(column));
      width_ = std::max(width_, column + 1);
    }
    if (weights_.empty()) weights_.resize(columns_.size(), 1);
    if (weights_.size() != columns_.size()) refuse("attributes 'weights' and 'ngram_indexes' differ in length");
    read_grams(attributes.integers("ngram_counts"));
  }

  void infer(InferContext& context) const override {
    const DType dtype = context.dtype(0);
    if (dtype != DType::undefined && (dtype == DType::string) != (pool_.dtype() == DType::string)) {
      context.fail("the input has " + std::string(dtype_name(dtype)) + " elements, the pool is of " +
                   std::string(dtype_name(pool_.dtype())));
    }
    const DimShape& shape = context.shape(0);
    if (!shape.has_rank()) return context.set_dtype(0, DType::float32);
    if (shape.rank() != 1 && shape.rank() != 2)
      context.fail("the input must be [C] or [N, C], it is " + shape.to_string());
    if (shape.rank() == 1) {
      context.set_output(0, DType::float32, {width_});
    } else {
      context.set_output(0, DType::float32, {shape[0], width_});
    }
  }

  void plan(PlanContext& context) const override {
    const TensorType& input = context.input(0);
    const int64_t length = input.shape.back();
    const int64_t rows = input.shape.rank() == 1 ? 1 : input.shape[0];
    const size_t scratch = context.scratch(static_cast<size_t>(length) * sizeof(int32_t));
    const double cost = static_cast<double>(length * (max_skip_ + 1)) * 30 + static_cast<double>(width_) * 0.3;
    context.range(
        rows, cost,
        [=, this, is_narrow = input.dtype == DType::int32](const TileContext& tile, int64_t begin, int64_t end) {
          auto* items = reinterpret_cast<int32_t*>(tile.scratch + scratch);
          for (int64_t row = begin; row < end; ++row) {
            for (int64_t i = 0; i < length; ++i) {
              const int64_t at = row * length + i;
              const int64_t wide = is_narrow ? tile.input<int32_t>(0)[at] : 0;
              items[i] = item_of(is_narrow ? &wide : tile.input(0), is_narrow ? 0 : at);
            }
            float* dst = tile.output<float>(0) + row * width_;
            std::fill(dst, dst + width_, 0.0F);
            count({items, static_cast<size_t>(length)}, dst);
          }
        });
  }

 private:
  enum class Mode : uint8_t { tf, idf, tf_idf };

  static Mode read_mode(AttributeReader& attributes) {
    if (!attributes.has("mode")) refuse("attribute 'mode' is required and absent");
    const std::string name = attributes.one_of("mode", {"TF", "IDF", "TFIDF"});
    return name == "TF" ? Mode::tf : name == "IDF" ? Mode::idf : Mode::tf_idf;
  }

  static Tensor read_pool(AttributeReader& attributes) {
    if (attributes.has("pool_strings") == attributes.has("pool_int64s")) {
      refuse("one of the attributes 'pool_strings' and 'pool_int64s' must be given");
    }
    return attributes.has("pool_strings") ? ops::list_tensor(attributes.strings("pool_strings"))
                                          : ops::list_tensor(attributes.integers("pool_int64s"));
  }

  int32_t item_of(const void* elements, int64_t i) const { return static_cast<int32_t>(items_.find(elements, i)); }

  void read_grams(const std::vector<int64_t>& starts) {
    if (static_cast<int64_t>(starts.size()) < longest_)
      refuse("attribute 'ngram_counts' is shorter than max_gram_length");
    if (pool_.elements() >= INT32_MAX) refuse("the pool is too long");
    items_ = ops::KeyIndex(pool_);
    size_t gram = 0;
    for (size_t n = 1; n <= starts.size(); ++n) {
      const int64_t begin = starts[n - 1];
      const int64_t end = n < starts.size() ? starts[n] : pool_.elements();
      const auto length = static_cast<int64_t>(n);
      if (begin < 0 || begin > end || end > pool_.elements() || (end - begin) % length != 0) {
        refuse("attribute 'ngram_counts' does not cut the pool into n-grams of " + std::to_string(n));
      }
      for (int64_t at = begin; at < end; at += length, ++gram) {
        if (gram == columns_.size()) refuse("attribute 'ngram_indexes' has too few elements for the pool");
        std::vector<int32_t> gram_items;
        for (int64_t i = at; i < at + length; ++i) gram_items.push_back(item_of(pool_.data(), i));
        if (length >= shortest_ && length <= longest_) tree_.add(gram_items, static_cast<int32_t>(gram));
      }
    }
    if (gram != columns_.size()) refuse("attribute 'ngram_indexes' has too many elements for the pool");
  }

  void count(std::span<const int32_t> items, float* dst) const {
    const auto size = static_cast<int64_t>(items.size());
    const int64_t last_skip = longest_ == 1 ? 0 : std::min(max_skip_, size);
    for (int64_t skip = 0; skip <= last_skip; ++skip) {
      for (int64_t begin = 0; begin < size; ++begin) {
        int32_t node = 0;
        int64_t at = begin;
        for (int64_t n = 1; n <= longest_ && at < size; ++n, at += skip + 1) {
          if (items[static_cast<size_t>(at)] == kNone) break;
          node = tree_.next(node, items[static_cast<size_t>(at)]);
          if (node == kNone) break;
          const int32_t gram = tree_.gram(node);
          if (gram != kNone && (n > 1 || skip == 0)) found(static_cast<size_t>(gram), dst);
        }
      }
    }
  }

  void found(size_t gram, float* dst) const {
    float& cell = dst[columns_[gram]];
    if (mode_ == Mode::tf) {
      cell += 1;
    } else if (mode_ == Mode::tf_idf) {
      cell += weights_[gram];
    } else {
      cell = weights_[gram];
    }
  }

  Mode mode_;
  int64_t shortest_;
  int64_t longest_;
  int64_t max_skip_;
  std::vector<int64_t> columns_;  // of each n-gram
  std::vector<float> weights_;
  int64_t width_ = 0;
  Tensor pool_;
  ops::KeyIndex items_;
  NgramTree tree_;
};

}  // namespace

void register_tf_idf_vectorizer(OpRegistry& registry) {
  registry.add({.name = "TfIdfVectorizer",
                .versions = {9},
                .signature = "X:T -> Y:T1",
                .types = {{.name = "T", .tensors = {DType::string, DType::int32, DType::int64}},
                          {.name = "T1", .tensors = {DType::float32}}},
                .create = make_operator<TfIdfVectorizer>});
}

}  // namespace onnxrun
