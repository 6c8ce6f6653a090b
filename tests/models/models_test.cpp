#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "onnxrun/session.h"
#include "support/zoo.h"

namespace onnxrun {
namespace {

// tests/models, or a folder of further models.
std::filesystem::path models_folder() {
  const char* other = std::getenv("ONNXRUN_MODELS");
  return other ? other : ONNXRUN_SOURCE_DIR "/tests/models";
}

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(models_folder())) {
    if (std::filesystem::exists(entry.path() / "meta.json")) names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// A whole model on stored inputs, against outputs that PyTorch and another runtime agree on within the tolerance.
class WholeModel : public testing::TestWithParam<std::tuple<std::string, int>> {};

TEST_P(WholeModel, GivesTheExpectedOutputs) {
  const auto& [name, threads] = GetParam();
  const zoo::ZooModel source(models_folder() / name);
  const std::string bytes = source.bytes();
  const Model model = Model::from_bytes(std::as_bytes(std::span(bytes)), BytesMode::borrow);
  SessionOptions options;
  options.threads = threads;
  options.oversubscribe = true;
  const Session session(model, options);
  ASSERT_GT(source.set_count(), 0U);
  for (size_t set = 0; set < source.set_count(); ++set) {
    std::vector<std::pair<std::string, Value>> inputs;
    for (zoo::NamedTensor& input : source.inputs(set)) inputs.emplace_back(input.name, std::move(input.tensor));
    const std::vector<Value> outputs = session.run(inputs);
    const std::vector<zoo::ExpectedOutput> expected = source.outputs(set);
    ASSERT_EQ(outputs.size(), expected.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(session.outputs()[i].name, expected[i].name);
      EXPECT_EQ(zoo::mismatch(expected[i], outputs[i].tensor()), "") << "input set " << set;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Zoo, WholeModel, testing::Combine(testing::ValuesIn(model_names()), testing::Values(1, 2)),
                         [](const auto& instance) {
                           return std::get<0>(instance.param) + "_threads_" +
                                  std::to_string(std::get<1>(instance.param));
                         });

}  // namespace
}  // namespace onnxrun
