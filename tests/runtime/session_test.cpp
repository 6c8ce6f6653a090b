#include "onnxrun/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tbb/global_control.h>

#include <cmath>
#include <cstring>
#include <set>
#include <thread>

#include "onnxrun/error.h"
#include "onnxrun/version.h"
#include "support/model_builder.h"

namespace onnxrun {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

// The message of the Error that `body` throws, which must be of this code.
template <class Body>
std::string error_of(ErrorCode code, const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing is thrown";
  return "";
}

// y = Relu(x + 1) on [batch, 3].
ModelBuilder small_model() {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"batch", "3"}).constant("one", floats({1}, {1}));
  builder.main.node("Add", {"x", "one"}, {"sum"}).node("Relu", {"sum"}, {"y"}, {}, "the_relu").output("y");
  return builder;
}

TEST(Session, RunsWithAnyExtentOfASymbolicDimension) {
  const Session session(small_model().model());
  for (const int64_t batch : {1, 2, 0, 5, 2}) {
    const Tensor x = random_floats({batch, 3}, 7);
    const Tensor y = session.run(std::vector<Value>{x})[0].tensor();
    ASSERT_EQ(y.shape(), x.shape());
    for (size_t i = 0; i < static_cast<size_t>(x.elements()); ++i) {
      EXPECT_EQ(y.values<float>()[i], std::max(0.0F, x.values<float>()[i] + 1.0F));
    }
  }
}

TEST(Session, RefusesWrongInputsInOneLine) {
  const Session session(small_model().model());
  const auto run = [&](const std::vector<Value>& inputs) { return [&session, inputs] { session.run(inputs); }; };
  EXPECT_THAT(error_of(ErrorCode::invalid_input, run({floats({2, 4}, std::vector<float>(8))})),
              AllOf(HasSubstr("'x'"), HasSubstr("[2,4]"), HasSubstr("[batch,3]")));
  EXPECT_THAT(error_of(ErrorCode::invalid_input, run({integers({1, 3}, {1, 2, 3})})), HasSubstr("int64"));
  EXPECT_THAT(error_of(ErrorCode::invalid_input, run({floats({3}, {1, 2, 3})})), HasSubstr("'x'"));
  EXPECT_THAT(error_of(ErrorCode::invalid_input, run({})), HasSubstr("0 inputs"));
  EXPECT_THAT(error_of(ErrorCode::invalid_input,
                       [&] {
                         session.run({{"z", floats({1, 3}, {1, 2, 3})}});
                       }),
              HasSubstr("'z'"));
  EXPECT_THAT(error_of(ErrorCode::invalid_input, [&] { session.run(std::vector<std::pair<std::string, Value>>{}); }),
              HasSubstr("'x'"));
}

TEST(Session, NamesEveryUnsupportedOperatorAtOnce) {
  ModelBuilder builder;
  builder.domains = {{"com.example", 1}};
  builder.main.input("x", DType::float32, {"2"}).output("y");
  builder.main.node("Fish", {"x"}, {"a"}, {}, "", "com.example").node("Bird", {"a"}, {"b"}, {}, "", "com.example");
  builder.main.node("Stone", {"b"}, {"y"}, {}, "", "com.example");
  EXPECT_THAT(error_of(ErrorCode::unsupported_operator, [&] { const Session session(builder.model()); }),
              AllOf(HasSubstr("3 nodes"), HasSubstr("com.example.Fish-1"), HasSubstr("com.example.Bird-1"),
                    HasSubstr("com.example.Stone-1")));
}

TEST(Session, FailuresAtRunNameTheNodeAndItsInputs) {
  ModelBuilder builder;
  builder.main.input("a", DType::float32, {"m"}).input("b", DType::float32, {"n"});
  builder.main.node("Add", {"a", "b"}, {"y"}, {}, "the_node").output("y");
  const Session session(builder.model());
  const std::vector<Value> inputs = {floats({2}, {1, 2}), floats({3}, {1, 2, 3})};
  EXPECT_THAT(error_of(ErrorCode::run_failed, [&] { session.run(inputs); }),
              AllOf(HasSubstr("the_node"), HasSubstr("float32[2]"), HasSubstr("float32[3]")));
}

TEST(Session, ASymbolMeansOneNumber) {
  ModelBuilder builder;
  builder.main.input("a", DType::float32, {"n"}).input("b", DType::float32, {"n"});
  builder.main.node("Add", {"a", "b"}, {"y"}).output("y");
  const Session session(builder.model());
  const std::vector<Value> inputs = {floats({2}, {1, 2}), floats({1}, {1})};
  EXPECT_THAT(error_of(ErrorCode::invalid_input, [&] { session.run(inputs); }),
              AllOf(HasSubstr("'n'"), HasSubstr("'a'"), HasSubstr("'b'")));
}

TEST(Session, FixesDimensionsByName) {
  SessionOptions options;
  options.dims = {{"batch", 2}};
  const Session session(small_model().model(), options);
  EXPECT_EQ(session.inputs()[0].type.to_string(), "float32[2,3]");
  options.dims = {{"nobody", 2}};
  EXPECT_THAT(error_of(ErrorCode::usage, [&] { const Session other(small_model().model(), options); }),
              HasSubstr("'nobody'"));
}

TEST(Session, IntermediateValuesCanBeOutputs) {
  SessionOptions options;
  options.extra_outputs = {"sum"};
  const Session session(small_model().model(), options);
  const auto outputs = session.run(std::vector<Value>{floats({1, 3}, {-5, 0, 1})});
  EXPECT_THAT(elements(outputs[0]), ElementsAre(0, 1, 2));
  EXPECT_THAT(elements(outputs[1]), ElementsAre(-4, 1, 2));
}

TEST(Session, AnOutputThatIsAnInputOrAConstantIsACopy) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"2"}).constant("c", floats({2}, {3, 4}));
  builder.main.node("Reshape", {"x", "shape"}, {"y"})
      .constant("shape", integers({2}, {2, 1}))
      .output("y")
      .output("c")
      .output("x");
  const Session session(builder.model());
  Tensor x = floats({2}, {1, 2});
  const auto outputs = session.run(std::vector<Value>{x});
  x.mutable_values<float>()[0] = 9;
  EXPECT_THAT(elements(outputs[0]), ElementsAre(1, 2));
  EXPECT_THAT(elements(outputs[1]), ElementsAre(3, 4));
  EXPECT_THAT(elements(outputs[2]), ElementsAre(1, 2));
}

TEST(Session, MemoryOfOutputsServesAgainWhenTheyAreLetGo) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"n"}).output("y").output("z");
  builder.main.constant("shape", integers({2}, {1, -1}));
  builder.main.node("Neg", {"x"}, {"y"}).node("Reshape", {"y", "shape"}, {"z"});
  const Session session(builder.model(), {});
  const auto run = [&](float x) { return session.run(std::vector<Value>{floats({3}, {x, 2, 3})}); };
  std::vector<Value> first = run(1);
  std::vector<Value> second = run(5);  // while the first are held
  EXPECT_EQ(elements(first[0]), (std::vector<float>{-1, -2, -3}));
  EXPECT_EQ(elements(second[0]), (std::vector<float>{-5, -2, -3}));
  const void* memory = second[0].tensor().data();
  second.erase(second.begin());  // the other one shares the memory
  std::vector<Value> third = run(6);
  EXPECT_NE(third[0].tensor().data(), memory);
  EXPECT_EQ(elements(first[0]), (std::vector<float>{-1, -2, -3}));
  EXPECT_EQ(elements(second[0]), (std::vector<float>{-5, -2, -3}));
  // In a loop where each result takes the place of the last one.
  std::set<const void*> places;
  for (int i = 0; i < 8; ++i) {
    first = run(static_cast<float>(i));
    EXPECT_EQ(elements(first[1]), (std::vector<float>{static_cast<float>(-i), -2, -3}));
    if (i > 1) places.insert(first[0].tensor().data());
  }
  EXPECT_EQ(places.size(), 2U);
  EXPECT_EQ(elements(session.run(std::vector<Value>{floats({1}, {8})})[0]), std::vector<float>{-8});
  EXPECT_EQ(elements(session.run(std::vector<Value>{first[0]})[1]), (std::vector<float>{7, 2, 3}));
  EXPECT_EQ(elements(first[0]), (std::vector<float>{-7, -2, -3}));
  EXPECT_EQ(elements(third[0]), (std::vector<float>{-6, -2, -3}));
}

// A shape that comes as an input: plans depend on its elements.
TEST(Session, ShapesMayBeInputs) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"6"}).input("shape", DType::int64, {"2"});
  builder.main.node("Reshape", {"x", "shape"}, {"y"}).node("Relu", {"y"}, {"z"}).output("z");
  const Session session(builder.model());
  for (const std::vector<int64_t>& shape : std::vector<std::vector<int64_t>>{{2, 3}, {3, 2}, {6, -1}, {2, 3}}) {
    const std::vector<Value> inputs = {floats({6}, {1, -2, 3, -4, 5, -6}), integers({2}, shape)};
    const auto outputs = session.run(inputs);
    EXPECT_EQ(outputs[0].tensor().shape(), Shape({shape[0], shape[1] == -1 ? 1 : shape[1]}));
    EXPECT_THAT(elements(outputs[0]), ElementsAre(1, 0, 3, 0, 5, 0));
  }
}

TEST(Session, IfRunsTheBranchThatTheConditionSays) {
  ModelBuilder::Body then_branch;
  then_branch.node("Add", {"x", "two"}, {"sum"}).constant("two", floats({1}, {2})).output("sum");
  ModelBuilder::Body else_branch;
  else_branch.node("Mul", {"x", "x"}, {"square"}).node("Add", {"square", "bias"}, {"other"}).output("other");
  ModelBuilder builder;
  builder.main.input("condition", DType::boolean, {})
      .input("x", DType::float32, {"n"})
      .constant("bias", floats({1}, {10}));
  builder.main.node("If", {"condition"}, {"r"}, {{"then_branch", &then_branch}, {"else_branch", &else_branch}});
  builder.main.node("Relu", {"r"}, {"y"}).output("y");
  for (const int level : {0, 2}) {
    SessionOptions options;
    options.opt_level = level;
    options.verify_passes = true;
    const Session session(builder.model(), options);
    const auto run = [&](bool condition) {
      return elements(session.run(std::vector<Value>{scalar(condition), floats({2}, {3, -5})})[0]);
    };
    EXPECT_THAT(run(true), ElementsAre(5, 0));
    EXPECT_THAT(run(false), ElementsAre(19, 35));
    EXPECT_THAT(run(true), ElementsAre(5, 0));
  }
}

TEST(Session, InsertsIntoSequences) {
  ModelBuilder builder;
  builder.main.input("a", DType::float32, {"2"}).input("b", DType::float32, {"3"});
  builder.main.node("SequenceConstruct", {"a"}, {"s0"}).node("SequenceInsert", {"s0", "b"}, {"s1"});
  builder.main.constant("front", integers({}, {0}))
      .node("SequenceInsert", {"s1", "b", "front"}, {"s2"})
      .output("s2")
      .output("s1");
  const Session session(builder.model());
  const auto outputs = session.run(std::vector<Value>{floats({2}, {1, 2}), floats({3}, {3, 4, 5})});
  const auto& front = outputs[0].sequence().elements;
  ASSERT_EQ(front.size(), 3U);
  EXPECT_THAT(elements(front[0]), ElementsAre(3, 4, 5));
  EXPECT_THAT(elements(front[1]), ElementsAre(1, 2));
  EXPECT_EQ(outputs[1].sequence().elements.size(), 2U);
}

// Two convolutions and a product, large enough that every phase is cut into tiles.
Session convolution_session(int threads) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"2", "16", "40", "40"});
  builder.main.constant("w1", random_floats({32, 16, 3, 3}, 1)).constant("b1", random_floats({32}, 2));
  builder.main.constant("w2", random_floats({32, 32, 3, 3}, 3)).constant("w3", random_floats({32, 64}, 4));
  builder.main.node("Conv", {"x", "w1", "b1"}, {"c1"}, {{"pads", std::vector<int64_t>{1, 1, 1, 1}}})
      .node("Relu", {"c1"}, {"r1"});
  builder.main.node("Conv", {"r1", "w2"}, {"c2"}, {{"pads", std::vector<int64_t>{1, 1, 1, 1}}})
      .node("Add", {"c2", "r1"}, {"sum"});
  builder.main.node("GlobalAveragePool", {"sum"}, {"pool"}).constant("flat", integers({2}, {2, 32}));
  builder.main.node("Reshape", {"pool", "flat"}, {"rows"}).node("MatMul", {"rows", "w3"}, {"product"});
  builder.main.node("Softmax", {"product"}, {"y"}).output("y").output("sum");
  SessionOptions options;
  options.threads = threads;
  options.oversubscribe = true;
  return Session(builder.model(), options);
}

std::vector<std::byte> bits(const std::vector<Value>& values) {
  std::vector<std::byte> bytes;
  for (const Value& value : values) {
    const auto* data = static_cast<const std::byte*>(value.tensor().data());
    bytes.insert(bytes.end(), data, data + value.tensor().bytes());
  }
  return bytes;
}

TEST(Session, GivesTheSameBitsOnAnyNumberOfThreads) {
  const tbb::global_control raise(tbb::global_control::max_allowed_parallelism, 8);
  const std::vector<Value> inputs = {random_floats({2, 16, 40, 40}, 5)};
  const std::vector<std::byte> expected = bits(convolution_session(1).run(inputs));
  for (const int threads : {2, 3, 7}) {
    const Session session = convolution_session(threads);
    ASSERT_EQ(session.info().threads, threads);
    for (int repeat = 0; repeat < 5; ++repeat) EXPECT_EQ(bits(session.run(inputs)), expected) << threads << " threads";
  }
}

// A state of one sequence is divided by columns, one of several by entries of the batch.
TEST(Session, RecurrentStepsGiveTheSameBitsOnAnyNumberOfThreads) {
  const tbb::global_control raise(tbb::global_control::max_allowed_parallelism, 8);
  struct Case {
    std::string type;
    int64_t gates, batch, hidden;
  };
  for (const Case& c : {Case{"LSTM", 4, 1, 300}, Case{"LSTM", 4, 3, 300}, Case{"GRU", 3, 1, 300},
                        Case{"RNN", 1, 2, 700}, Case{"LSTM", 4, 21, 48}}) {
    const auto run = [&](int threads) {
      ModelBuilder builder;
      builder.main.input("x", DType::float32, {"6", std::to_string(c.batch), "20"});
      builder.main.constant("w", random_floats({1, c.gates * c.hidden, 20}, 1))
          .constant("r", random_floats({1, c.gates * c.hidden, c.hidden}, 2))
          .node(c.type, {"x", "w", "r"}, {"y", "last"}, {{"hidden_size", c.hidden}})
          .output("y")
          .output("last");
      SessionOptions options;
      options.threads = threads;
      options.oversubscribe = true;
      const std::vector<Value> inputs = {random_floats({6, c.batch, 20}, 3)};
      return bits(Session(builder.model(), options).run(inputs));
    };
    const std::vector<std::byte> expected = run(1);
    for (const int threads : {2, 3, 7}) EXPECT_EQ(run(threads), expected) << c.type << ", " << threads << " threads";
  }
}

TEST(Session, RunsAtTheSameTimeOnSeveralThreads) {
  const Session session = convolution_session(2);
  const std::vector<Value> inputs = {random_floats({2, 16, 40, 40}, 5)};
  const std::vector<std::byte> expected = bits(session.run(inputs));
  std::vector<std::vector<std::byte>> results(4);
  std::vector<std::thread> callers;
  callers.reserve(results.size());
  for (auto& result : results)
    callers.emplace_back([&session, &inputs, &result] { result = bits(session.run(inputs)); });
  for (std::thread& caller : callers) caller.join();
  for (const auto& result : results) EXPECT_EQ(result, expected);
}

// More lengths than plans are kept of, each twice in turn: every run is right, and steps() tells of the last one.
TEST(Session, ShapesMayChangeFromRunToRun) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"n"}).node("Neg", {"x"}, {"y"}).output("y");
  const Session session(builder.model());
  for (const int64_t pass : {0, 1}) {
    for (int64_t n = 1; n <= 300; ++n) {
      for (const int64_t length : {n, int64_t{7}}) {
        const std::vector<float> x(static_cast<size_t>(length), static_cast<float>(n + pass));
        const Tensor y = session.run(std::vector<Value>{floats({length}, x)})[0].tensor();
        ASSERT_EQ(y.shape(), Shape({length}));
        ASSERT_EQ(y.values<float>().back(), -x.back());
        ASSERT_EQ(session.steps()[0].outputs[0], "y float32[" + std::to_string(length) + "]");
      }
    }
  }
}

TEST(Session, FusionChangesNothingBeyondRounding) {
  const std::vector<Value> inputs = {random_floats({2, 16, 40, 40}, 5)};
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"2", "16", "40", "40"});
  builder.main.constant("w", random_floats({24, 16, 3, 3}, 1)).constant("scale", random_floats({24}, 2));
  builder.main.constant("shift", random_floats({24}, 3)).constant("mean", random_floats({24}, 4));
  builder.main.constant("variance", floats({24}, std::vector<float>(24, 0.7F)));
  builder.main.node("Conv", {"x", "w"}, {"c"})
      .node("BatchNormalization", {"c", "scale", "shift", "mean", "variance"}, {"n"});
  builder.main.node("LeakyRelu", {"n"}, {"y"}, {{"alpha", 0.1F}}).output("y");
  SessionOptions plain;
  plain.opt_level = 0;
  SessionOptions fused;
  fused.verify_passes = true;
  const Session reference(builder.model(), plain);
  const Session session(builder.model(), fused);
  EXPECT_EQ(session.steps().size(), 3U);  // the convolution between the ways to blocked maps and back
  EXPECT_EQ(reference.steps().size(), 3U);
  const Tensor expected = reference.run(inputs)[0].tensor();
  const Tensor got = session.run(inputs)[0].tensor();
  for (size_t i = 0; i < static_cast<size_t>(expected.elements()); ++i) {
    ASSERT_NEAR(got.values<float>()[i], expected.values<float>()[i], 1e-4F) << i;
  }
}

// What is made right inside the output of a Concat must survive what is written over that output later.
TEST(Session, ConcatInputsThatAreReadAgainStayWhatTheyAre) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"1", "4", "4", "4"});
  builder.main.node("Neg", {"x"}, {"a"})
      .node("Exp", {"x"}, {"b"})
      .node("Concat", {"a", "b"}, {"c"}, {{"axis", int64_t{1}}});
  builder.main.node("Relu", {"c"}, {"d"}).node("Concat", {"a", "d", "b"}, {"y"}, {{"axis", int64_t{1}}}).output("y");
  const Session session(builder.model());
  const Tensor x = random_floats({1, 4, 4, 4}, 11);
  const std::vector<float> y = elements(session.run(std::vector<Value>{x})[0]);
  ASSERT_EQ(y.size(), 4U * 64U);
  for (size_t i = 0; i < 64; ++i) {
    const float value = x.values<float>()[i];
    EXPECT_EQ(y[i], -value);
    EXPECT_EQ(y[64 + i], std::max(-value, 0.0F));
    EXPECT_FLOAT_EQ(y[128 + i], std::exp(value));
    EXPECT_FLOAT_EQ(y[192 + i], std::exp(value));
  }
}

// Steps on as many elements take each stretch of them one after the other. Every operation here is rounded exactly; x
// and `a` are read again behind operators that could write over them, `c` is an output and has a reader, and `f` is
// integers in between.
TEST(Session, ElementwiseStepsGiveWhatEachGivesAlone) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"n"})
      .constant("two", floats({}, {2}))
      .constant("third", floats({1}, {0.3F}));
  builder.main.node("Mul", {"x", "third"}, {"a"}).node("Sub", {"a", "two"}, {"b"}).node("Abs", {"b"}, {"c"});
  builder.main.node("Sqrt", {"c"}, {"d"}).node("Max", {"d", "a"}, {"e"});
  builder.main.node("Cast", {"e"}, {"f"}, {{"to", int64_t{6}}}).node("Neg", {"f"}, {"g"});
  builder.main.node("Cast", {"g"}, {"h"}, {{"to", int64_t{1}}})
      .node("Add", {"h", "x"}, {"i"})
      .node("Mul", {"i", "a"}, {"y"});
  builder.main.output("c").output("y");
  const tbb::global_control raise(tbb::global_control::max_allowed_parallelism, 8);
  for (const int threads : {1, 3}) {
    SessionOptions options;
    options.threads = threads;
    const Session session(builder.model(), options);
    for (const int64_t n : {0, 1, 2047, 2048, 100'003}) {
      Tensor x = random_floats({n}, 7);
      for (float& value : x.mutable_values<float>()) value *= 100;
      const auto outputs = session.run(std::vector<Value>{x});
      const auto c = elements(outputs[0]), y = elements(outputs[1]);
      ASSERT_EQ(y.size(), static_cast<size_t>(n));
      for (size_t i = 0; i < y.size(); ++i) {
        const float value = x.values<float>()[i];
        const float a = value * 0.3F;
        const float distance = std::abs(a - 2.0F);
        const float e = std::max(std::sqrt(distance), a);
        ASSERT_EQ(c[i], distance) << n << ' ' << i;
        ASSERT_EQ(y[i], (static_cast<float>(-static_cast<int32_t>(e)) + value) * a) << n << ' ' << i;
      }
    }
  }
}

TEST(Session, APassCanBeSwitchedOffByName) {
  SessionOptions options;
  options.disabled_passes = {"fuse_activation"};
  const Session session(small_model().model(), options);
  for (const PassReport& pass : session.info().passes)
    EXPECT_EQ(pass.enabled, pass.name != "fuse_activation") << pass.name;
  options.disabled_passes = {"no_such_pass"};
  EXPECT_THAT(error_of(ErrorCode::usage, [&] { const Session other(small_model().model(), options); }),
              HasSubstr("no_such_pass"));
}

TEST(Session, StopsAfterItsTime) {
  const Session session = convolution_session(1);
  RunOptions options;
  options.timeout = std::chrono::nanoseconds(1);
  EXPECT_THAT(error_of(ErrorCode::limit,
                       [&] {
                         session.run(std::vector<Value>{random_floats({2, 16, 40, 40}, 5)}, options);
                       }),
              HasSubstr("time"));
}

}  // namespace
}  // namespace onnxrun
