#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <span>

#include "onnxrun/error.h"
#include "onnxrun/model.h"
#include "onnxrun/session.h"
#include "onnxrun/version.h"
#include "support/model_builder.h"

namespace onnxrun {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string refusal(const ModelBuilder& builder) {
  try {
    const Session session(builder.model());
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_model) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "the model is accepted";
  return "";
}

ModelBuilder relu_model() {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"2"}).node("Relu", {"x"}, {"y"}, {}, "the_relu").output("y");
  return builder;
}

TEST(Loader, NamesBothVersionsOfANewerModel) {
  ModelBuilder builder = relu_model();
  builder.ir_version = kNewestIrVersion + 1;
  EXPECT_THAT(refusal(builder), AllOf(HasSubstr(std::to_string(kNewestIrVersion + 1)),
                                      HasSubstr(std::to_string(kNewestIrVersion) + ",")));
  builder.ir_version = kNewestIrVersion;
  builder.opset = kNewestOpset + 3;
  EXPECT_THAT(refusal(builder),
              AllOf(HasSubstr(std::to_string(kNewestOpset + 3)), HasSubstr(std::to_string(kNewestOpset) + ",")));
  LoadOptions options;
  options.allow_newer = true;
  const Model model = builder.model(options);
  EXPECT_EQ(model.warnings().size(), 1U);
  const Session session(model);
  EXPECT_THAT(elements(session.run(std::vector<Value>{floats({2}, {-1, 2})})[0]), testing::ElementsAre(0, 2));
}

TEST(Loader, NodesMayStandInAnyOrder) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"1"}).output("y");
  builder.main.node("Relu", {"a"}, {"y"}).node("Neg", {"x"}, {"a"});
  const Session session(builder.model());
  EXPECT_THAT(elements(session.run(std::vector<Value>{floats({1}, {-3})})[0]), testing::ElementsAre(3));
}

TEST(Loader, RefusesACycleAndNamesItsNodes) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"1"}).output("a");
  builder.main.node("Relu", {"b"}, {"a"}, {}, "first").node("Relu", {"a"}, {"b"}, {}, "second");
  EXPECT_THAT(refusal(builder), AllOf(HasSubstr("'first'"), HasSubstr("'second'")));
}

TEST(Loader, RefusesValuesThatNobodyOrTwoNodesMake) {
  ModelBuilder missing;
  missing.main.input("x", DType::float32, {"1"}).node("Add", {"x", "nobody"}, {"y"}).output("y");
  EXPECT_THAT(refusal(missing), HasSubstr("'nobody'"));
  ModelBuilder twice;
  twice.main.input("x", DType::float32, {"1"}).node("Relu", {"x"}, {"y"}).node("Neg", {"x"}, {"y"}).output("y");
  EXPECT_THAT(refusal(twice), HasSubstr("'y'"));
  ModelBuilder output;
  output.main.input("x", DType::float32, {"1"}).node("Relu", {"x"}, {"y"}).output("z");
  EXPECT_THAT(refusal(output), HasSubstr("'z'"));
}

TEST(Loader, RefusesWrongAttributesInputsAndVersions) {
  ModelBuilder surplus;
  surplus.main.input("x", DType::float32, {"1"}).node("Relu", {"x", "x"}, {"y"}, {}, "n").output("y");
  EXPECT_THAT(refusal(surplus), AllOf(HasSubstr("'n'"), HasSubstr("2 inputs")));
  ModelBuilder attribute;
  attribute.main.input("x", DType::float32, {"1"}).node("Relu", {"x"}, {"y"}, {{"wrong", int64_t{1}}}, "n").output("y");
  EXPECT_THAT(refusal(attribute), AllOf(HasSubstr("'n'"), HasSubstr("'wrong'")));
  ModelBuilder kind;
  kind.main.input("x", DType::float32, {"1"})
      .node("Softmax", {"x"}, {"y"}, {{"axis", std::string("one")}}, "n")
      .output("y");
  EXPECT_THAT(refusal(kind), AllOf(HasSubstr("'n'"), HasSubstr("'axis'"), HasSubstr("a string")));
  ModelBuilder early;
  early.opset = 13;
  early.main.input("x", DType::float32, {"1"}).node("Gelu", {"x"}, {"y"}, {}, "n").output("y");
  EXPECT_THAT(refusal(early), AllOf(HasSubstr("Gelu"), HasSubstr("20"), HasSubstr("13")));
}

TEST(Loader, AContradictedOutputIsRefused) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"2"}).node("Relu", {"x"}, {"y"}).output("y", DType::float32, {"7"});
  EXPECT_THAT(refusal(builder), AllOf(HasSubstr("'y'"), HasSubstr("[7]"), HasSubstr("[2]")));
}

TEST(Loader, BrokenBytesAreRefused) {
  const std::string bytes = relu_model().bytes();
  for (size_t length = 0; length < bytes.size(); ++length) {
    const std::span<const char> cut(bytes.data(), length);
    try {
      Model::from_bytes(std::as_bytes(cut), BytesMode::borrow);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_model) << length;
    }
  }
}

TEST(Loader, WeightsAreViewsOfTheBytes) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"1000"}).constant("w", random_floats({1000}, 1));
  builder.main.node("Add", {"x", "w"}, {"y"}).output("y");
  const std::string bytes = builder.bytes();
  const Model model = Model::from_bytes(std::as_bytes(std::span(bytes)), BytesMode::borrow);
  EXPECT_EQ(model.parameter_count(), 1000);
  EXPECT_EQ(model.parameter_bytes(), 4000U);
  const Session session(model);
  const Tensor y = session.run(std::vector<Value>{floats({1000}, std::vector<float>(1000, 0.0F))})[0].tensor();
  EXPECT_TRUE(std::ranges::equal(y.values<float>(), random_floats({1000}, 1).values<float>()));
}

}  // namespace
}  // namespace onnxrun
