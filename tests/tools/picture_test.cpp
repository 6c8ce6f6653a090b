#include "picture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "media/files.h"
#include "onnxrun/error.h"

namespace onnxrun::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Two pixels side by side: (10, 20, 30) and (40, 50, 60).
class Picture : public testing::Test {
 protected:
  Picture() {
    const std::string bytes = "P6 2 1 255\n\x0a\x14\x1e\x28\x32\x3c";
    write_file(path_, std::as_bytes(std::span(bytes)));
  }
  ~Picture() override { std::filesystem::remove(path_); }

  Tensor read(DType dtype, const std::vector<int64_t>& dims, const PictureOptions& options = {}) const {
    ValueInfo info{"x", {}};
    info.type.kind = ValueKind::tensor;
    info.type.dtype = dtype;
    info.type.has_rank = true;
    for (const int64_t extent : dims) info.type.dims.push_back({extent, ""});
    return read_picture(path_, info, options).tensor();
  }

  std::string path_ = testing::TempDir() + "onnxrun_picture_" + std::to_string(getpid()) + ".ppm";
};

TEST_F(Picture, TakesTheLayoutOfTheInput) {
  const Tensor first = read(DType::uint8, {-1, 3, -1, -1});
  EXPECT_EQ(first.shape(), (Shape{1, 3, 1, 2}));
  EXPECT_THAT(first.values<uint8_t>(), ElementsAre(10, 40, 20, 50, 30, 60));
  const Tensor last = read(DType::uint8, {1, -1, 2, 3});
  EXPECT_EQ(last.shape(), (Shape{1, 1, 2, 3}));
  EXPECT_THAT(last.values<uint8_t>(), ElementsAre(10, 20, 30, 40, 50, 60));
  PictureOptions options;
  options.preprocess.layout = "nhwc";
  EXPECT_EQ(read(DType::uint8, {-1, -1, -1, -1}, options).shape(), (Shape{1, 1, 2, 3}));
  EXPECT_EQ(read(DType::uint8, {3, -1, -1}).shape(), (Shape{3, 1, 2}));
  EXPECT_EQ(read(DType::uint8, {1, 1, -1, -1}).shape(), (Shape{1, 1, 1, 2}));
}

TEST_F(Picture, IsNormalisedByChannel) {
  PictureOptions options;
  options.bgr = true;
  options.preprocess.scale = "0.5";
  options.preprocess.mean = {"15", "10", "5"};
  options.preprocess.deviation = {"1", "2", "4"};
  const Tensor tensor = read(DType::float32, {1, 3, 1, 2}, options);
  EXPECT_THAT(tensor.values<float>(), ElementsAre(0, 15, 0, 7.5F, 0, 3.75F));
}

TEST_F(Picture, IsResized) {
  PictureOptions options;
  options.resize = "4x2:nearest";
  EXPECT_THAT(read(DType::uint8, {1, 3, 2, 4}, options).values<uint8_t>().first(8),
              ElementsAre(10, 10, 40, 40, 10, 10, 40, 40));
  options.resize = "1x1";
  EXPECT_THAT(read(DType::uint8, {1, 3, 1, 1}, options).values<uint8_t>(), ElementsAre(25, 35, 45));
  for (const char* text : {"4", "4x", "x4", "4x0", "4x4:", "4x4:cubic", "4x4x4"}) {
    options.resize = text;
    EXPECT_THROW(read(DType::uint8, {1, 3, 2, 4}, options), Error) << text;
  }
}

TEST_F(Picture, IsGivenAsItIsToAVectorOfBytes) {
  EXPECT_EQ(read(DType::uint8, {-1}).values<uint8_t>().size(), std::filesystem::file_size(path_));
}

TEST_F(Picture, IsRefusedWhereItDoesNotFit) {
  const auto refuse = [&](const std::vector<int64_t>& dims, const std::string& text) {
    try {
      read(DType::float32, dims);
      ADD_FAILURE() << "not refused: " << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_input);
      EXPECT_THAT(error.what(), HasSubstr(text));
    }
  };
  refuse({1, 3, 224, 224}, "--resize 224x224");
  refuse({1, 3, 7, -1}, "--resize 2x7");
  refuse({1, 4, 1, 2}, "1 or 3 channels");
  refuse({1, 10}, "does not fit");
}

}  // namespace
}  // namespace onnxrun::cli
