#include "media/npz.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "media/files.h"
#include "onnxrun/error.h"

namespace onnxrun {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::string kData = ONNXRUN_SOURCE_DIR "/tests/media/data/";

// A file of its own that is gone after the test.
struct TemporaryFile {
  std::filesystem::path path = testing::TempDir() + "onnxrun_npz_test_" + std::to_string(getpid()) + ".npz";
  ~TemporaryFile() { std::filesystem::remove(path); }
};

TEST(ReadNpz, ReadsStoredMembers) {
  const auto arrays = read_npz(kData + "stored.npz");
  ASSERT_EQ(arrays.size(), 2u);
  EXPECT_EQ(arrays[0].first, "x");
  EXPECT_THAT(arrays[0].second.values<int64_t>(), ElementsAre(0, 1, 2));
  EXPECT_EQ(arrays[1].first, "y");
  EXPECT_THAT(arrays[1].second.values<double>(), ElementsAre(2.5));
}

TEST(ReadNpz, ReadsDeflatedMembers) {
  const auto arrays = read_npz(kData + "deflated.npz");
  ASSERT_EQ(arrays.size(), 2u);
  for (const auto& [name, tensor] : arrays) {
    if (name == "labels") {
      EXPECT_THAT(tensor.values<std::string>(), ElementsAre("a", "b"));
    } else {
      EXPECT_EQ(name, "arr_0");
      EXPECT_EQ(tensor.shape(), (Shape{4, 5}));
    }
  }
}

TEST(ReadNpz, RefusesWhatIsNoArchive) {
  EXPECT_THROW(read_npz(kData + "float32_c.npy"), Error);
  EXPECT_THROW(read_npz(kData + "missing.npz"), Error);
}

TEST(ReadNpz, DamagedMembersAreRefused) {
  std::vector<std::byte> bytes = read_file(kData + "stored.npz");
  bytes[200] ^= std::byte{1};  // inside the first member: its checksum fails
  const TemporaryFile file;
  write_file(file.path, bytes);
  EXPECT_THROW(read_npz(file.path), Error);
}

TEST(WriteNpz, ReadsBack) {
  const float numbers[] = {1, 2, 3, 4};
  Tensor text(DType::string, {2});
  text.mutable_values<std::string>()[1] = "größe";
  const TensorView matrix{DType::float32, {2, 2}, numbers};
  const std::pair<std::string, TensorView> arrays[] = {{"scope/matrix:0", matrix}, {"text", text}};
  const TemporaryFile file;
  for (int twice = 0; twice < 2; ++twice) write_npz(file.path, arrays);
  const auto read = read_npz(file.path);
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0].first, "scope/matrix:0");
  EXPECT_EQ(read[0].second.shape(), (Shape{2, 2}));
  EXPECT_THAT(read[0].second.values<float>(), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(read[1].second.values<std::string>(), ElementsAre("", "größe"));
}

TEST(WriteNpz, NamesTheArrayThatNumpyLacks) {
  const std::byte data[2] = {};
  const std::pair<std::string, TensorView> arrays[] = {{"weights", {DType::bfloat16, {1}, data}}};
  const TemporaryFile file;
  try {
    write_npz(file.path, arrays);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("'weights'"));
    EXPECT_THAT(error.what(), HasSubstr(".pb"));
  }
  EXPECT_FALSE(std::filesystem::exists(file.path));
}

TEST(WriteFile, LeavesTheOldFileWhereItFails) {
  EXPECT_THROW(write_file(testing::TempDir() + "no/such/folder/x.bin", {}), Error);
}

}  // namespace
}  // namespace onnxrun
