#include "base/mapped_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/build_id.h"
#include "onnxrun/error.h"

namespace onnxrun {
namespace {

class MappedFileTest : public ::testing::Test {
 protected:
  MappedFileTest() {
    std::string name = ::testing::TempDir() + "mapped_file_XXXXXX";
    folder_ = mkdtemp(name.data());
    path_ = folder_ / "file";
    std::ofstream(path_) << std::string(10000, 'x');
    chmod(path_.c_str(), S_IRUSR | S_IWUSR);
  }
  ~MappedFileTest() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
  std::filesystem::path path_;
};

TEST_F(MappedFileTest, LocatesRangesInItselfAlone) {
  const auto file = MappedFile::open(path_);
  const auto place = MappedFile::locate(file->bytes().subspan(5000, 5000));
  ASSERT_TRUE(place);
  EXPECT_EQ(place->offset, 5000U);
  struct stat facts {};
  ASSERT_EQ(stat(path_.c_str(), &facts), 0);
  EXPECT_EQ(place->file.inode, facts.st_ino);
  EXPECT_EQ(place->file.bytes, 10000U);
  EXPECT_EQ(place->file.modified / 1'000'000'000, facts.st_mtim.tv_sec);
  EXPECT_EQ(place->file.changed % 1'000'000'000, facts.st_ctim.tv_nsec);
  const std::string elsewhere = "elsewhere";
  EXPECT_FALSE(MappedFile::locate(std::as_bytes(std::span(elsewhere))));
  EXPECT_FALSE(MappedFile::locate({file->bytes().data() + 9999, 2}));
  EXPECT_FALSE(MappedFile::locate(MappedFile::read(path_)->bytes()));
}

TEST_F(MappedFileTest, CopiesRangesOfItselfAndOthers) {
  std::ofstream(path_) << std::string(6000, 'a') << std::string(4000, 'b');
  const auto file = MappedFile::open(path_);
  std::string copy(300, ' ');
  MappedFile::copy(file->bytes().subspan(5900, 300), reinterpret_cast<std::byte*>(copy.data()));
  EXPECT_EQ(copy, std::string(100, 'a') + std::string(200, 'b'));
  const std::string elsewhere = "elsewhere";
  MappedFile::copy(std::as_bytes(std::span(elsewhere)), reinterpret_cast<std::byte*>(copy.data()));
  EXPECT_EQ(copy.substr(0, 11), "elsewhereaa");
}

TEST_F(MappedFileTest, SaysThatItBecameShorter) {
  const auto file = MappedFile::open(path_);
  std::filesystem::resize_file(path_, 7000);
  std::vector<std::byte> copy(2000);
  MappedFile::copy(file->bytes().subspan(5000, 2000), copy.data());
  EXPECT_THROW(MappedFile::copy(file->bytes().subspan(6000, 2000), copy.data()), Error);
}

TEST_F(MappedFileTest, OpensPrivatelyOnlyWhatIsClosedToOthers) {
  EXPECT_EQ(MappedFile::open_private(path_)->bytes().size(), 10000U);
  for (const mode_t mode : {S_IRGRP, S_IWGRP, S_IROTH, S_IWOTH}) {
    chmod(path_.c_str(), S_IRUSR | S_IWUSR | mode);
    EXPECT_THROW(MappedFile::open_private(path_), Error) << mode;
  }
  chmod(path_.c_str(), S_IRUSR | S_IWUSR);
  const auto link = folder_ / "link";
  std::filesystem::create_symlink(path_, link);
  EXPECT_THROW(MappedFile::open_private(link), Error);
  const auto pipe = folder_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), S_IRUSR | S_IWUSR), 0);
  EXPECT_THROW(MappedFile::open_private(pipe), Error);
  EXPECT_THROW(MappedFile::open_private(folder_), Error);
  EXPECT_EQ(MappedFile::open_private(folder_ / "absent"), nullptr);
  EXPECT_EQ(MappedFile::open_private(path_ / "below"), nullptr);
}

TEST(BuildId, IsWhatTheLinkerWrote) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe");
  FILE* pipe = popen(("readelf -n '" + program + "'").c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string notes;
  for (int c = fgetc(pipe); c != EOF; c = fgetc(pipe)) notes += static_cast<char>(c);
  ASSERT_EQ(pclose(pipe), 0);
  const std::string mark = "Build ID: ";
  const size_t at = notes.find(mark);
  const std::string expected =
      at == std::string::npos ? "" : notes.substr(at + mark.size(), notes.find('\n', at) - at - mark.size());
  EXPECT_EQ(build_id(), expected);
}

}  // namespace
}  // namespace onnxrun
