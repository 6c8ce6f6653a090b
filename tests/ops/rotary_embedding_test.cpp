#include <gtest/gtest.h>

#include <cmath>

#include "support/op_tester.h"
#include "support/sample.h"

namespace onnxrun {
namespace {

// Batch 2, length 3, heads 2, size 6: the formulas of the specification on [batch, length, heads, size].
struct Reference {
  size_t rotary = 6;
  bool interleaved = false;
  std::vector<int64_t> positions = {0, 1, 2, 4, 0, 3};
  std::vector<double> x = sample(size_t{2} * 3 * 2 * 6, 1);
  std::vector<double> cosines = sample(5 * (rotary / 2), 2);
  std::vector<double> sines = sample(5 * (rotary / 2), 3);

  std::vector<double> y() const {
    std::vector<double> result = x;
    const size_t half = rotary / 2;
    for (size_t row = 0; row < 12; ++row) {
      for (size_t i = 0; i < half; ++i) {
        const size_t cache = static_cast<size_t>(positions[row / 2]) * half + i;
        const size_t first = row * 6 + (interleaved ? 2 * i : i);
        const size_t second = row * 6 + (interleaved ? 2 * i + 1 : half + i);
        result[first] = cosines[cache] * x[first] - sines[cache] * x[second];
        result[second] = sines[cache] * x[first] + cosines[cache] * x[second];
      }
    }
    return result;
  }

  // A row of the cache for each token.
  std::vector<double> gathered(const std::vector<double>& cache) const {
    std::vector<double> result;
    for (const int64_t position : positions) {
      const auto begin = cache.begin() + position * static_cast<int64_t>(rotary / 2);
      result.insert(result.end(), begin, begin + static_cast<int64_t>(rotary / 2));
    }
    return result;
  }
};

// [batch, length, heads, size] as [batch, heads, length, size].
std::vector<double> heads_outside(const std::vector<double>& x) {
  std::vector<double> result(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t b = i / 36, s = i / 12 % 3, h = i / 6 % 2;
    result[((b * 2 + h) * 3 + s) * 6 + i % 6] = x[i];
  }
  return result;
}

TEST(RotaryEmbedding, TurnsPairsInEveryTypeAndLayout) {
  const std::pair<DType, double> types[] = {{DType::float32, 1e-6}, {DType::float16, 4e-3}, {DType::bfloat16, 4e-2}};
  for (const auto& [dtype, tolerance] : types) {
    for (const size_t rotary : {size_t{6}, size_t{4}}) {
      for (const bool interleaved : {false, true}) {
        const Reference r{.rotary = rotary, .interleaved = interleaved};
        const auto half = static_cast<int64_t>(rotary / 2);
        const ModelBuilder::Attributes attributes = {{"interleaved", int64_t{interleaved}},
                                                     {"rotary_embedding_dim", rotary == 6 ? int64_t{0} : int64_t{4}}};
        expect_op({.op = "RotaryEmbedding",
                   .inputs = {numbers(dtype, {2, 2, 3, 6}, heads_outside(r.x)), numbers(dtype, {5, half}, r.cosines),
                              numbers(dtype, {5, half}, r.sines), integers({2, 3}, r.positions)},
                   .outputs = {numbers(dtype, {2, 2, 3, 6}, heads_outside(r.y()))},
                   .attributes = attributes,
                   .opset = 23,
                   .relative = tolerance,
                   .absolute = tolerance});
        OpCase packed = {
            .op = "RotaryEmbedding",
            .inputs = {numbers(dtype, {2, 3, 12}, r.x), numbers(dtype, {2, 3, half}, r.gathered(r.cosines)),
                       numbers(dtype, {2, 3, half}, r.gathered(r.sines))},
            .outputs = {numbers(dtype, {2, 3, 12}, r.y())},
            .attributes = attributes,
            .opset = 23,
            .relative = tolerance,
            .absolute = tolerance};
        packed.attributes.emplace_back("num_heads", int64_t{2});
        expect_op(packed);
      }
    }
  }
}

TEST(RotaryEmbedding, RefusesWhatDoesNotFit) {
  const Reference r;
  const Tensor x = numbers(DType::float32, {2, 2, 3, 6}, r.x);
  const Tensor cache = numbers(DType::float32, {5, 3}, r.cosines);
  const auto expect = [&](std::vector<Value> inputs, ErrorCode code, const std::string& text) {
    expect_op_error({.op = "RotaryEmbedding", .inputs = std::move(inputs), .outputs = {x}, .opset = 23}, code, text);
  };
  expect({x, cache, cache, integers({2, 3}, {0, 1, 2, 3, 4, 5})}, ErrorCode::run_failed, "position 5");
  expect({x, cache, cache, integers({2, 3}, {0, 1, 2, 3, 4, -1})}, ErrorCode::run_failed, "position -1");
  expect({x, cache, cache}, ErrorCode::invalid_model, "input 1 must have shape [2,3,3]");
  expect({numbers(DType::float32, {2, 3, 12}, r.x), cache, cache}, ErrorCode::invalid_model, "'num_heads'");
  expect({random_floats({1, 1, 1, 5}, 1), cache, cache, integers({1, 1}, {0})}, ErrorCode::invalid_model,
         "cannot be rotated");
}

}  // namespace
}  // namespace onnxrun
