#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "onnxrun/session.h"
#include "support/op_tester.h"
#include "support/sample.h"

namespace onnxrun {
namespace {

constexpr double kForbidden = -std::numeric_limits<double>::infinity();

// The formulas of the specification in double, on [batch, heads, length, size].
struct Reference {
  size_t batch = 1, q_heads = 1, kv_heads = 1, queries = 1, keys = 1, size = 1, v_size = 1;
  double scale = 1, softcap = 0;
  std::function<double(size_t b, size_t h, size_t i, size_t j)> bias = [](size_t, size_t, size_t, size_t) { return 0; };
  std::vector<double> q = {}, k = {}, v = {};  // k and v with the past
  std::vector<double> y = {}, raw = {}, capped = {}, masked = {}, probabilities = {};

  Reference& fill() {
    q = sample(batch * q_heads * queries * size, 1);
    k = sample(batch * kv_heads * keys * size, 2);
    v = sample(batch * kv_heads * keys * v_size, 3);
    return *this;
  }

  Reference& compute() {
    for (size_t b = 0; b < batch; ++b) {
      for (size_t h = 0; h < q_heads; ++h) {
        for (size_t i = 0; i < queries; ++i) row(b, h, i);
      }
    }
    return *this;
  }

  void row(size_t b, size_t h, size_t i) {
    const size_t kv = b * kv_heads + h / (q_heads / kv_heads);
    std::vector<double> scores;
    for (size_t j = 0; j < keys; ++j) {
      double dot = 0;
      for (size_t e = 0; e < size; ++e) {
        dot += q[((b * q_heads + h) * queries + i) * size + e] * k[(kv * keys + j) * size + e];
      }
      raw.push_back(dot * scale);
      capped.push_back(softcap > 0 ? softcap * std::tanh(raw.back() / softcap) : raw.back());
      masked.push_back(capped.back() + bias(b, h, i, j));
      scores.push_back(masked.back());
    }
    const double largest = *std::max_element(scores.begin(), scores.end());
    double sum = 0;
    for (double& score : scores) sum += score = largest == kForbidden ? 0 : std::exp(score - largest);
    for (double& score : scores) score = sum == 0 ? 0 : score / sum;
    probabilities.insert(probabilities.end(), scores.begin(), scores.end());
    for (size_t e = 0; e < v_size; ++e) {
      double total = 0;
      for (size_t j = 0; j < keys; ++j) total += scores[j] * v[(kv * keys + j) * v_size + e];
      y.push_back(total);
    }
  }
};

int64_t n(size_t count) { return static_cast<int64_t>(count); }

// [batch, heads, length, size] as [batch, length, heads * size].
std::vector<double> packed(const std::vector<double>& x, size_t heads, size_t length, size_t size) {
  std::vector<double> result(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t e = i % size, row = i / size % length, h = i / size / length % heads;
    const size_t b = i / size / length / heads;
    result[((b * length + row) * heads + h) * size + e] = x[i];
  }
  return result;
}

// Rows [first, first + count) of each head.
std::vector<double> rows(const std::vector<double>& x, size_t length, size_t size, size_t first, size_t count) {
  std::vector<double> result;
  for (size_t head = 0; head < x.size() / length / size; ++head) {
    const auto begin = x.begin() + n((head * length + first) * size);
    result.insert(result.end(), begin, begin + n(count * size));
  }
  return result;
}

struct Tensors {
  Tensor q, k, v, y;
};
Tensors tensors(const Reference& r, DType dtype) {
  return {numbers(dtype, {n(r.batch), n(r.q_heads), n(r.queries), n(r.size)}, r.q),
          numbers(dtype, {n(r.batch), n(r.kv_heads), n(r.keys), n(r.size)}, r.k),
          numbers(dtype, {n(r.batch), n(r.kv_heads), n(r.keys), n(r.v_size)}, r.v),
          numbers(dtype, {n(r.batch), n(r.q_heads), n(r.queries), n(r.v_size)}, r.y)};
}

TEST(Attention, AttendsInEveryFloatTypeWithSharedHeads) {
  Reference r{.batch = 2, .q_heads = 4, .kv_heads = 2, .queries = 5, .keys = 7, .size = 8, .v_size = 3};
  r.scale = 1 / std::sqrt(8.0);
  r.fill().compute();
  const std::pair<DType, double> types[] = {
      {DType::float32, 1e-5}, {DType::float64, 1e-12}, {DType::float16, 5e-3}, {DType::bfloat16, 4e-2}};
  for (const auto& [dtype, tolerance] : types) {
    const Tensors t = tensors(r, dtype);
    expect_op({.op = "Attention",
               .inputs = {t.q, t.k, t.v},
               .outputs = {t.y},
               .opset = 23,
               .relative = tolerance,
               .absolute = tolerance});
  }
}

TEST(Attention, TakesHeadsSideBySide) {
  Reference r{.batch = 2, .q_heads = 4, .kv_heads = 2, .queries = 3, .keys = 6, .size = 4, .v_size = 5};
  r.scale = 0.25;
  r.fill().compute();
  const Shape probabilities = {2, 4, 3, 6};
  expect_op({.op = "Attention",
             .inputs = {numbers(DType::float32, {2, 3, 16}, packed(r.q, 4, 3, 4)),
                        numbers(DType::float32, {2, 6, 8}, packed(r.k, 2, 6, 4)),
                        numbers(DType::float32, {2, 6, 10}, packed(r.v, 2, 6, 5))},
             .outputs = {numbers(DType::float32, {2, 3, 20}, packed(r.y, 4, 3, 5)),
                         numbers(DType::float32, {2, 2, 6, 4}, r.k), numbers(DType::float32, {2, 2, 6, 5}, r.v),
                         numbers(DType::float32, probabilities, r.probabilities)},
             .attributes = {{"q_num_heads", int64_t{4}},
                            {"kv_num_heads", int64_t{2}},
                            {"scale", 0.25F},
                            {"qk_matmul_output_mode", int64_t{3}}},
             .opset = 24,
             .relative = 1e-5,
             .absolute = 1e-6});
}

TEST(Attention, GivesScoresOfEveryStage) {
  Reference r{.q_heads = 2, .kv_heads = 1, .queries = 3, .keys = 4, .size = 2, .v_size = 2};
  r.scale = 1 / std::sqrt(2.0);
  r.softcap = 1.5;
  const std::vector<double> mask = {0, -1, 0.5, kForbidden, kForbidden, kForbidden, kForbidden, kForbidden, 1, 2, 3, 4};
  r.bias = [&](size_t, size_t, size_t i, size_t j) { return mask[i * 4 + j]; };
  r.fill().compute();
  const std::vector<double>* stages[] = {&r.raw, &r.capped, &r.masked, &r.probabilities};
  for (int64_t mode = 0; mode < 4; ++mode) {
    const Tensors t = tensors(r, DType::float32);
    expect_op({.op = "Attention",
               .inputs = {t.q, t.k, t.v, numbers(DType::float32, {3, 4}, mask)},
               .outputs = {t.y, Value(), Value(), numbers(DType::float32, {1, 2, 3, 4}, *stages[mode])},
               .attributes = {{"softcap", 1.5F}, {"qk_matmul_output_mode", mode}},
               .opset = 24,
               .relative = 1e-5,
               .absolute = 1e-6});
  }
}

TEST(Attention, TakesMasksOfManyTypesAndShapes) {
  Reference r{.batch = 2, .q_heads = 2, .kv_heads = 2, .queries = 2, .keys = 3, .size = 2, .v_size = 2};
  r.scale = 1 / std::sqrt(2.0);
  r.fill();
  const auto expect = [&](const Tensor& mask, auto bias) {
    Reference test = r;
    test.bias = bias;
    test.compute();
    const Tensors t = tensors(test, DType::float32);
    expect_op({.op = "Attention",
               .inputs = {t.q, t.k, t.v, mask},
               .outputs = {t.y},
               .opset = 23,
               .relative = 1e-5,
               .absolute = 1e-6});
  };
  const std::vector<double> allowed = {1, 0, 1, 0, 1, 1, 0, 0, 0, 1, 1, 0};
  expect(numbers(DType::boolean, {2, 1, 2, 3}, allowed),
         [&](size_t b, size_t, size_t i, size_t j) { return allowed[(b * 2 + i) * 3 + j] != 0 ? 0 : kForbidden; });
  expect(numbers(DType::boolean, {2, 2, 3}, allowed),
         [&](size_t, size_t h, size_t i, size_t j) { return allowed[(h * 2 + i) * 3 + j] != 0 ? 0 : kForbidden; });
  for (const DType dtype : {DType::float16, DType::float64, DType::int8, DType::int64}) {
    expect(numbers(dtype, {3}, {2, -1, 0}), [](size_t, size_t, size_t, size_t j) {
      return j == 0 ? 2.0 : j == 1 ? -1.0 : 0.0;
    });
  }
  expect(numbers(DType::float32, {2, 1, 1, 1}, {1, kForbidden}),
         [](size_t b, size_t, size_t, size_t) { return b == 0 ? 1 : kForbidden; });
  expect(numbers(DType::float32, {}, {3}), [](size_t, size_t, size_t, size_t) { return 3.0; });
}

TEST(Attention, ForbidsWhatAShortMaskLeavesOut) {
  Reference r{.queries = 2, .keys = 5, .size = 2, .v_size = 2};
  r.scale = 1 / std::sqrt(2.0);
  r.bias = [](size_t, size_t, size_t, size_t j) { return j < 3 ? 1 : kForbidden; };
  r.fill().compute();
  const Tensors t = tensors(r, DType::float32);
  const OpCase test = {.op = "Attention",
                       .inputs = {t.q, t.k, t.v, numbers(DType::float32, {2, 3}, {1, 1, 1, 1, 1, 1})},
                       .outputs = {t.y},
                       .opset = 24,
                       .relative = 1e-5,
                       .absolute = 1e-6};
  expect_op(test);
  OpCase first = test;
  first.opset = 23;
  expect_op_error(first, ErrorCode::invalid_model, "does not broadcast");
}

TEST(Attention, IsCausalBehindThePast) {
  // Several blocks of queries and chunks of keys.
  constexpr size_t kPast = 130;
  Reference r{.q_heads = 2, .kv_heads = 1, .queries = 150, .keys = kPast + 150, .size = 16, .v_size = 20};
  r.scale = 0.25;
  r.bias = [](size_t, size_t, size_t i, size_t j) { return j <= i + kPast ? 0 : kForbidden; };
  r.fill().compute();
  for (const DType dtype : {DType::float32, DType::float16}) {
    const double tolerance = dtype == DType::float32 ? 2e-5 : 5e-3;
    const Tensors t = tensors(r, dtype);
    expect_op({.op = "Attention",
               .inputs = {t.q, numbers(dtype, {1, 1, 150, 16}, rows(r.k, r.keys, 16, kPast, 150)),
                          numbers(dtype, {1, 1, 150, 20}, rows(r.v, r.keys, 20, kPast, 150)), Value(),
                          numbers(dtype, {1, 1, kPast, 16}, rows(r.k, r.keys, 16, 0, kPast)),
                          numbers(dtype, {1, 1, kPast, 20}, rows(r.v, r.keys, 20, 0, kPast))},
               .outputs = {t.y, t.k, t.v},
               .attributes = {{"is_causal", int64_t{1}}},
               .opset = 24,
               .relative = tolerance,
               .absolute = tolerance});
  }
}

TEST(Attention, ReadsThePastWhereItLiesForOneQuery) {
  constexpr size_t kPast = 300;
  for (const auto& [q_heads, queries] : {std::pair<size_t, size_t>{8, 1}, {2, 1}, {4, 2}}) {
    Reference r{.batch = 2,
                .q_heads = q_heads,
                .kv_heads = 2,
                .queries = queries,
                .keys = kPast + queries,
                .size = 72,
                .v_size = 33};
    r.scale = 1 / std::sqrt(72.0);
    r.bias = [](size_t, size_t, size_t i, size_t j) { return j <= i + kPast && j + 250 >= i + kPast ? 0 : kForbidden; };
    r.fill().compute();
    const Tensors t = tensors(r, DType::float32);
    const auto part = [&](const std::vector<double>& x, size_t size, size_t first, size_t count) {
      return numbers(DType::float32, {2, 2, n(count), n(size)}, rows(x, r.keys, size, first, count));
    };
    expect_op({.op = "Attention",
               .inputs = {t.q, part(r.k, 72, kPast, queries), part(r.v, 33, kPast, queries), Value(),
                          part(r.k, 72, 0, kPast), part(r.v, 33, 0, kPast)},
               .outputs = {t.y, t.k, t.v},
               .attributes = {{"is_causal", int64_t{1}}, {"left_window_size", int64_t{250}}},
               .opset = 25,
               .relative = 1e-5,
               .absolute = 1e-5});
  }
}

TEST(Attention, CountsValidKeysOfAnOuterCache) {
  Reference r{.batch = 3, .q_heads = 1, .kv_heads = 1, .queries = 4, .keys = 8, .size = 4, .v_size = 4};
  r.scale = 0.5;
  const std::vector<int64_t> valid = {2, 4, 8};
  r.bias = [&](size_t b, size_t, size_t i, size_t j) {
    const bool allowed = n(j) < valid[b] && n(j) <= n(i) + valid[b] - 4;
    return allowed ? 0 : kForbidden;
  };
  r.fill().compute();
  const Tensors t = tensors(r, DType::float32);
  const OpCase test = {.op = "Attention",
                       .inputs = {t.q, t.k, t.v, Value(), Value(), Value(), integers({3}, valid)},
                       .outputs = {t.y, Value(), Value(), numbers(DType::float32, {3, 1, 4, 8}, r.probabilities)},
                       .attributes = {{"is_causal", int64_t{1}}, {"qk_matmul_output_mode", int64_t{3}}},
                       .opset = 24,
                       .relative = 1e-5,
                       .absolute = 1e-6};
  expect_op(test);
  OpCase outside = test;
  outside.inputs[6] = integers({3}, {2, 4, 9});
  expect_op_error(outside, ErrorCode::run_failed, "9 outside [0, 8]");
}

TEST(Attention, LooksThroughWindows) {
  for (const auto& [left, right, causal] :
       {std::tuple<int64_t, int64_t, int64_t>{2, 1, 0}, {1, -1, 0}, {-1, 0, 0}, {0, 3, 1}, {INT64_MAX, INT64_MAX, 0}}) {
    Reference r{.queries = 6, .keys = 9, .size = 4, .v_size = 4};
    r.scale = 0.5;
    r.bias = [left = left, right = right, causal = causal](size_t, size_t, size_t i, size_t j) {
      const int64_t distance = n(j) - n(i);
      const bool allowed =
          (left < 0 || -distance <= left) && (right < 0 || distance <= right) && (causal == 0 || distance <= 0);
      return allowed ? 0 : kForbidden;
    };
    r.fill().compute();
    const Tensors t = tensors(r, DType::float32);
    expect_op({.op = "Attention",
               .inputs = {t.q, t.k, t.v},
               .outputs = {t.y},
               .attributes = {{"left_window_size", left}, {"right_window_size", right}, {"is_causal", causal}},
               .opset = 25,
               .relative = 1e-5,
               .absolute = 1e-6});
  }
}

TEST(Attention, ForbidsWhateverTheScore) {
  // A key that overflows is left out, and where every key is, the row is zero.
  const float huge = 3e38F;
  expect_op({.op = "Attention",
             .inputs = {floats({1, 1, 2, 1}, {huge, huge}), floats({1, 1, 2, 1}, {huge, 0}),
                        floats({1, 1, 2, 1}, {5, 7}), numbers(DType::boolean, {2, 2}, {0, 1, 0, 0})},
             .outputs = {floats({1, 1, 2, 1}, {7, 0})},
             .attributes = {{"scale", 1.0F}},
             .opset = 24});
}

TEST(Attention, ComputesInDoubleWhereSoftmaxDoes) {
  Reference r{.queries = 3, .keys = 300, .size = 8, .v_size = 2};
  r.scale = 3;
  r.fill().compute();
  const Tensors t = tensors(r, DType::float32);
  expect_op({.op = "Attention",
             .inputs = {t.q, t.k, t.v},
             .outputs = {t.y},
             .attributes = {{"scale", 3.0F}, {"softmax_precision", int64_t{11}}},
             .opset = 23,
             .relative = 1e-7});
}

TEST(Attention, TakesEmptyTensors) {
  expect_op({.op = "Attention",
             .inputs = {floats({1, 1, 2, 2}, {1, 2, 3, 4}), floats({1, 1, 0, 2}, {}), floats({1, 1, 0, 3}, {})},
             .outputs = {floats({1, 1, 2, 3}, {0, 0, 0, 0, 0, 0})},
             .opset = 23});
  expect_op({.op = "Attention",
             .inputs = {floats({0, 1, 2, 2}, {}), floats({0, 1, 3, 2}, {}), floats({0, 1, 3, 3}, {})},
             .outputs = {floats({0, 1, 2, 3}, {})},
             .opset = 23});
}

TEST(Attention, RefusesWhatDoesNotFit) {
  const auto zeros = [](const Shape& shape) { return random_floats(shape, 1); };
  const auto expect = [&](std::vector<Value> inputs, ModelBuilder::Attributes attributes, const std::string& text) {
    expect_op_error({.op = "Attention",
                     .inputs = std::move(inputs),
                     .outputs = {zeros({1})},
                     .attributes = std::move(attributes),
                     .opset = 24},
                    ErrorCode::invalid_model, text);
  };
  const Tensor q = zeros({1, 4, 2, 8});
  const Tensor k = zeros({1, 2, 3, 8});
  expect({q, zeros({1, 3, 3, 8}), zeros({1, 3, 3, 8})}, {}, "4 heads of Q cannot share 3");
  expect({q, zeros({1, 2, 3, 4}), k}, {}, "differ in head size");
  expect({q, k, zeros({1, 2, 4, 8})}, {}, "K and V differ");
  expect({zeros({1, 2, 8}), zeros({1, 3, 8}), zeros({1, 3, 8})}, {}, "'q_num_heads'");
  expect({zeros({1, 2, 8}), zeros({1, 3, 8}), zeros({1, 3, 8})},
         {{"q_num_heads", int64_t{3}}, {"kv_num_heads", int64_t{1}}}, "cannot be divided into 3 heads");
  expect({q, k, k, zeros({2, 2})}, {{"qk_matmul_output_mode", int64_t{4}}}, "'qk_matmul_output_mode'");
  expect({q, k, k, Value(), k}, {}, "must be given together");
  expect({q, k, k, Value(), zeros({1, 3, 3, 8}), k}, {}, "must have shape [1,2,?,8]");
}

// The lengths need not be written alike.
TEST(Attention, TakesAPastWhoseLengthIsPartlyDeclared) {
  ModelBuilder builder;
  builder.opset = 23;
  for (const char* name : {"q", "k", "v"}) builder.main.input(name, DType::float32, {"1", "2", "1", "4"});
  builder.main.input("pk", DType::float32, {"1", "2", "3", "4"}).input("pv", DType::float32, {"1", "2", "past", "4"});
  builder.main.output("y").output("present", DType::float32, {"1", "2", "4", "4"});
  builder.main.node("Attention", {"q", "k", "v", "", "pk", "pv"}, {"y", "present", "present_v"});
  const Tensor one = random_floats({1, 2, 1, 4}, 1);
  const Tensor past = random_floats({1, 2, 3, 4}, 2);
  const auto outputs = Session(builder.model()).run({{"q", one}, {"k", one}, {"v", one}, {"pk", past}, {"pv", past}});
  EXPECT_EQ(outputs[1].tensor().shape(), Shape({1, 2, 4, 4}));
}

}  // namespace
}  // namespace onnxrun
