#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <span>
#include <string>

#include "media/npy.h"
#include "onnxrun/session.h"
#include "support/zoo.h"

namespace onnxrun {
namespace {

// Trained models on real handwritten digits: each prediction must be the one that PyTorch made.
struct Digits {
  std::string model;
  int correct;
};

class DigitModel : public testing::TestWithParam<Digits> {};

TEST_P(DigitModel, PredictsWhatPyTorchPredicts) {
  const std::filesystem::path folder = std::filesystem::path(ONNXRUN_SOURCE_DIR "/tests/models") / GetParam().model;
  const std::string bytes = zoo::ZooModel(folder).bytes();
  const Session session(Model::from_bytes(std::as_bytes(std::span(bytes)), BytesMode::borrow));
  const Tensor images = read_npy(folder / "test_images.npy");
  const Tensor labels = read_npy(folder / "test_labels.npy");
  const Tensor predictions = read_npy(folder / "torch_predictions.npy");
  const auto count = static_cast<size_t>(labels.elements());
  const int64_t side = images.shape().back();
  Tensor input(DType::float32, {static_cast<int64_t>(count), 1, side, side});
  std::ranges::transform(images.values<uint8_t>(), input.mutable_values<float>().begin(),
                         [](uint8_t pixel) { return (static_cast<float>(pixel) / 255.0F - 0.1307F) / 0.3081F; });
  const Tensor output = session.run(std::vector<Value>{input})[0].tensor();
  const auto scores = output.values<float>();
  const size_t classes = scores.size() / count;
  int correct = 0;
  for (size_t i = 0; i < count; ++i) {
    const auto row = scores.subspan(i * classes, classes);
    const auto best = std::ranges::max_element(row) - row.begin();
    EXPECT_EQ(best, predictions.values<uint8_t>()[i]) << "image " << i;
    correct += best == labels.values<uint8_t>()[i] ? 1 : 0;
  }
  EXPECT_EQ(correct, GetParam().correct);
}

INSTANTIATE_TEST_SUITE_P(Zoo, DigitModel,
                         testing::Values(Digits{"lenet5_digits", 399}, Digits{"mnist_net_digits", 398}),
                         [](const auto& instance) { return instance.param.model; });

}  // namespace
}  // namespace onnxrun
