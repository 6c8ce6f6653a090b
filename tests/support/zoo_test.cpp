#include "support/zoo.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include "media/npy.h"

namespace onnxrun::zoo {
namespace {

const std::filesystem::path kModels = ONNXRUN_SOURCE_DIR "/tests/models";

uint32_t checksum(uint32_t start, const void* data, size_t size) {
  return static_cast<uint32_t>(crc32(start, static_cast<const Bytef*>(data), static_cast<uInt>(size)));
}

// The published answer for counter 0 and key 0 (kat_vectors of the Random123 distribution).
TEST(Philox, GivesThePublishedAnswer) {
  const Philox::Block expected = {0x16554d9eca36314c, 0xdb20fe9d672d0fdc, 0xd7e772cee186176b, 0x7e68b68aec7ba23b};
  EXPECT_EQ(Philox::block({0, 0, 0, 0}, {0, 0}), expected);
}

// Checksums of the models and inputs as the exporter's own Python script makes them.
struct Checksums {
  const char* name;
  uint32_t model;
  uint32_t inputs;
};

class Materialized : public ::testing::TestWithParam<Checksums> {};

TEST_P(Materialized, EqualsTheExportersModelByteForByte) {
  const ZooModel model(kModels / GetParam().name);
  const std::string bytes = model.bytes();
  EXPECT_EQ(checksum(0, bytes.data(), bytes.size()), GetParam().model);
  uint32_t inputs = 0;
  for (size_t set = 0; set < model.set_count(); ++set) {
    for (const NamedTensor& input : model.inputs(set)) {
      const auto file = serialize_npy(input.tensor);
      inputs = checksum(inputs, file.data(), file.size());
    }
  }
  EXPECT_EQ(inputs, GetParam().inputs);
}

INSTANTIATE_TEST_SUITE_P(Zoo, Materialized,
                         ::testing::Values(Checksums{"fashion_mlp", 0x15A163C8, 0x87313A80},
                                           Checksums{"cifar_net_shape", 0x5073A665, 0x98232DEE},
                                           Checksums{"lenet5_digits", 0x510DA05D, 0x5F1A0305},
                                           Checksums{"mnist_net_digits", 0x799A0C9C, 0x7BEAF33C},
                                           Checksums{"mnist_net", 0x5CD6B2E8, 0x9F76DB13},
                                           Checksums{"resnet18_op9", 0xF8AA7B4E, 0x3EB75387}),
                         [](const auto& instance) { return instance.param.name; });

TEST(Mismatch, AcceptsTheToleranceAndNoMore) {
  const float wanted[] = {1, 100}, close[] = {1.05F, 90.5F}, far[] = {1.05F, 88.0F};
  ExpectedOutput expected{"y", {2}, Tensor::copy_of({DType::float32, {2}, wanted}), 1, 0.1, 0.01};
  EXPECT_EQ(mismatch(expected, {DType::float32, {2}, close}), "");
  EXPECT_NE(mismatch(expected, {DType::float32, {2}, far}), "");
  EXPECT_NE(mismatch(expected, {DType::float32, {2, 1}, close}), "");
  EXPECT_NE(mismatch(expected, {DType::int32, {2}, close}), "");
}

TEST(Mismatch, ComparesEveryStrideOfASample) {
  const float got[] = {1, 7, 7, 4, 7}, wrong[] = {1, 7, 7, 5, 7}, sample[] = {1, 4};
  ExpectedOutput expected{"y", {5}, Tensor::copy_of({DType::float32, {2}, sample}), 3, 0, 0};
  EXPECT_EQ(mismatch(expected, {DType::float32, {5}, got}), "");
  EXPECT_NE(mismatch(expected, {DType::float32, {5}, wrong}), "");
}

TEST(Mismatch, NotANumberIsAMismatch) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), wanted = 1;
  ExpectedOutput expected{"y", {1}, Tensor::copy_of({DType::float32, {1}, &wanted}), 1, 1, 1};
  EXPECT_NE(mismatch(expected, {DType::float32, {1}, &nan}), "");
}

}  // namespace
}  // namespace onnxrun::zoo
