#include <gtest/gtest.h>

#include "onnxrun/session.h"
#include "support/model_builder.h"

namespace onnxrun {
namespace {

using Integers = std::vector<int64_t>;

// Two nodes alike, one with a seed of its own, every random operator, one of them in a branch.
Model random_model() {
  ModelBuilder builder;
  const ModelBuilder::Attributes shape = {{"shape", Integers{64}}};
  ModelBuilder::Body branch;
  branch.node("RandomUniformLike", {"p"}, {"inner"}).output("inner");
  builder.main.input("p", DType::float32, {"1", "64"}).constant("yes", scalar(true));
  builder.main.node("RandomUniform", {}, {"a"}, shape).node("RandomUniform", {}, {"b"}, shape);
  builder.main.node("RandomUniform", {}, {"own"}, {{"shape", Integers{64}}, {"seed", 3.0F}});
  builder.main.node("RandomNormal", {}, {"c"}, shape).node("RandomNormalLike", {"p"}, {"d"});
  builder.main.node("Bernoulli", {"p"}, {"e"});
  builder.main.node("Multinomial", {"p"}, {"f"}, {{"sample_size", int64_t{64}}});
  builder.main.node("Dropout", {"p", "", "yes"}, {"g"});
  builder.main.node("If", {"yes"}, {"h"}, {{"then_branch", &branch}, {"else_branch", &branch}});
  for (const char* name : {"a", "b", "own", "c", "d", "e", "f", "g", "h"}) builder.main.output(name);
  return builder.model();
}

std::string bits(const Value& value) {
  const Tensor& tensor = value.tensor();
  return {static_cast<const char*>(tensor.data()), tensor.bytes()};
}

std::vector<std::string> draw(const Session& session) {
  const Tensor p = floats({1, 64}, std::vector<float>(64, 0.5F));
  std::vector<std::string> drawn;
  for (const Value& value : session.run({{"p", p}})) drawn.push_back(bits(value));
  return drawn;
}

TEST(SessionSeed, MakesEveryRunAlike) {
  for (const int opt_level : {0, 2}) {
    SessionOptions options;
    options.opt_level = opt_level;
    options.seed = 7;
    const Session session(random_model(), options);
    const auto drawn = draw(session);
    EXPECT_EQ(draw(session), drawn);
    EXPECT_EQ(draw(Session(random_model(), options)), drawn);
    EXPECT_NE(drawn[0], drawn[1]);
    options.seed = 8;
    const auto others = draw(Session(random_model(), options));
    for (size_t i = 0; i < drawn.size(); ++i) {
      EXPECT_EQ(others[i] == drawn[i], i == 2) << "output " << i;
    }
  }
}

TEST(SessionSeed, IsAbsentByDefault) {
  const Session session(random_model());
  const auto drawn = draw(session);
  const auto again = draw(session);
  for (size_t i = 0; i < drawn.size(); ++i) EXPECT_EQ(again[i] == drawn[i], i == 2) << "output " << i;
}

}  // namespace
}  // namespace onnxrun
