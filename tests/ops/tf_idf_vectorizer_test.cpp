#include <gtest/gtest.h>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

using Integers = std::vector<int64_t>;
using Floats = std::vector<float>;

// Unigrams 2 and 3, bigrams 5-6 and 2-2, trigram 1-2-3.
ModelBuilder::Attributes attributes(const std::string& mode, int64_t shortest, int64_t longest, int64_t skip) {
  return {{"mode", mode},
          {"min_gram_length", shortest},
          {"max_gram_length", longest},
          {"max_skip_count", skip},
          {"ngram_counts", Integers{0, 2, 6}},
          {"ngram_indexes", Integers{1, 0, 4, 2, 3}},
          {"pool_int64s", Integers{2, 3, 5, 6, 2, 2, 1, 2, 3}},
          {"weights", Floats{0.5F, 2, 3, 10, 100}}};
}

OpCase vectorize(const Tensor& input, const Tensor& output, ModelBuilder::Attributes attributes) {
  return {
      .op = "TfIdfVectorizer", .inputs = {input}, .outputs = {output}, .attributes = std::move(attributes), .opset = 9};
}

TEST(TfIdfVectorizer, CountsNgrams) {
  for (const DType dtype : {DType::int32, DType::int64}) {
    const Tensor x = numbers(dtype, {8}, {1, 2, 2, 3, 5, 2, 6, 3});
    expect_op(vectorize(x, floats({5}, {2, 3, 0, 0, 0}), attributes("TF", 1, 1, 5)));
    // 2-2 next to each other once.
    expect_op(vectorize(x, floats({5}, {0, 0, 1, 0, 0}), attributes("TF", 2, 2, 0)));
    // One item between: 5-6. 1-2-3 with a step of 2 is not there, 1 2 3 with steps of 1 neither.
    expect_op(vectorize(x, floats({5}, {2, 3, 1, 0, 1}), attributes("TF", 1, 3, 1)));
    // Two items between: 2-2 once more.
    expect_op(vectorize(x, floats({5}, {0, 0, 2, 0, 1}), attributes("TF", 2, 2, 2)));
  }
}

TEST(TfIdfVectorizer, WeighsByPlaceInThePool) {
  const Tensor x = integers({2, 4}, {2, 3, 2, 7, 1, 2, 3, 8});
  expect_op(vectorize(x, floats({2, 5}, {1, 2, 0, 0, 0, 1, 1, 0, 1, 0}), attributes("TF", 1, 3, 0)));
  expect_op(vectorize(x, floats({2, 5}, {2, 0.5F, 0, 0, 0, 2, 0.5F, 0, 100, 0}), attributes("IDF", 1, 3, 0)));
  expect_op(vectorize(x, floats({2, 5}, {2, 1, 0, 0, 0, 2, 0.5F, 0, 100, 0}), attributes("TFIDF", 1, 3, 0)));
}

TEST(TfIdfVectorizer, TakesStrings) {
  const ModelBuilder::Attributes words = {{"mode", std::string("TF")},
                                          {"min_gram_length", int64_t{1}},
                                          {"max_gram_length", int64_t{2}},
                                          {"max_skip_count", int64_t{0}},
                                          {"ngram_counts", Integers{0, 1}},
                                          {"ngram_indexes", Integers{0, 1}},
                                          {"pool_strings", std::vector<std::string>{"a", "a", "b"}}};
  expect_op(vectorize(strings({4}, {"a", "b", "a", "c"}), floats({2}, {2, 1}), words));
  expect_op(vectorize(strings({2, 0}, {}), floats({2, 2}, {0, 0, 0, 0}), words));
  expect_op(vectorize(strings({0, 3}, {}), floats({0, 2}, {}), words));
  expect_op_error(vectorize(integers({1}, {1}), floats({2}, {0, 0}), words), ErrorCode::invalid_model,
                  "the pool is of string");
}

TEST(TfIdfVectorizer, RefusesAPoolThatDoesNotFit) {
  ModelBuilder::Attributes wrong = attributes("TF", 1, 3, 0);
  wrong[4] = {"ngram_counts", Integers{0, 3, 6}};
  const Tensor x = integers({1}, {1});
  const Tensor y = floats({5}, {0, 0, 0, 0, 0});
  expect_op_error(vectorize(x, y, wrong), ErrorCode::invalid_model, "n-grams of 2");
  wrong = attributes("TF", 1, 3, 0);
  wrong[5] = {"ngram_indexes", Integers{1, 0, 4, 2}};
  wrong.pop_back();
  expect_op_error(vectorize(x, y, wrong), ErrorCode::invalid_model, "'ngram_indexes' has too few");
  expect_op_error(vectorize(integers({}, {1}), y, attributes("TF", 1, 3, 0)), ErrorCode::invalid_model,
                  "[C] or [N, C]");
}

}  // namespace
}  // namespace onnxrun
