#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <thread>

#include "base/cpu_features.h"
#include "base/hash.h"
#include "onnxrun/error.h"
#include "onnxrun/session.h"
#include "runtime/packed_file.h"
#include "support/model_builder.h"

namespace onnxrun {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Where the file's header and table have what tests change.
constexpr size_t kEntryCountAt = 120;
constexpr size_t kTableHashAt = 128;
constexpr size_t kTableAt = 144;
constexpr size_t kTableEntry = 32;
constexpr size_t kOffsetInEntry = 16;
constexpr size_t kBytesInEntry = 24;

// A convolution and products, one by a weight that two nodes share, with biases.
ModelBuilder network(uint32_t seed) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"1", "5", "8", "8"}).output("y").output("z");
  builder.main.constant("k", random_floats({24, 5, 3, 3}, seed)).constant("kb", random_floats({24}, seed + 1));
  builder.main.constant("w", random_floats({36, 36}, seed + 2)).constant("b", random_floats({36}, seed + 3));
  builder.main.constant("v", random_floats({36, 7}, seed + 4));
  builder.main.node("Conv", {"x", "k", "kb"}, {"c"}).node("Relu", {"c"}, {"r"});
  builder.main.node("Flatten", {"r"}, {"f"}, {{"axis", int64_t{2}}}).node("MatMul", {"g", "w"}, {"m"});
  builder.main.node("Reshape", {"f", "s"}, {"g"}).constant("s", integers({2}, {24, 36}));
  builder.main.node("Add", {"m", "b"}, {"n"}).node("MatMul", {"n", "w"}, {"z"}).node("MatMul", {"z", "v"}, {"y"});
  return builder;
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// In place: the file stays the same, with the same permissions.
void write_file(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

std::vector<std::string> bits(const Session& session) {
  std::vector<std::string> all;
  for (const Value& value : session.run(std::vector<Value>{random_floats({1, 5, 8, 8}, 99)})) {
    all.emplace_back(static_cast<const char*>(value.tensor().data()), value.tensor().bytes());
  }
  return all;
}

class PackedCacheTest : public ::testing::Test {
 protected:
  PackedCacheTest() {
    std::string name = ::testing::TempDir() + "packed_cache_XXXXXX";
    folder_ = mkdtemp(name.data());
    model_ = folder_ / "model.onnx";
    write_file(model_, network(1).bytes());
    options_.cache_directory = folder_ / "cache";
    expected_ = bits(Session(model_));
  }
  ~PackedCacheTest() override {
    set_isa_cap_for_testing(Isa::amx);
    fs::remove_all(folder_);
  }

  std::vector<fs::path> files() const {
    std::vector<fs::path> list;
    if (!fs::exists(options_.cache_directory)) return list;
    for (const auto& entry : fs::directory_iterator(options_.cache_directory)) list.push_back(entry.path());
    std::sort(list.begin(), list.end());
    return list;
  }

  // Makes the cache and gives its only file.
  fs::path fill() {
    EXPECT_THAT(Session(model_, options_).info().warnings, IsEmpty());
    EXPECT_THAT(files(), SizeIs(1));
    return files().at(0);
  }

  // Whether a session gives the right bits, and has everything from the cache.
  void expect_cached() {
    const Session session(model_, options_);
    EXPECT_THAT(session.info().warnings, IsEmpty());
    EXPECT_GT(session.info().cached_bytes, 0U);
    EXPECT_EQ(session.info().cached_bytes, session.info().packed_bytes);
    EXPECT_EQ(bits(session), expected_);
  }

  // That the cache's file, as it is now, is ignored with a warning, and is good afterwards.
  void expect_mended(const std::string& why) {
    SCOPED_TRACE(why);
    {
      const Session session(model_, options_);
      EXPECT_THAT(session.info().warnings, ElementsAre(HasSubstr(why)));
      EXPECT_EQ(session.info().cached_bytes, 0U);
      EXPECT_EQ(bits(session), expected_);
    }
    EXPECT_THAT(files(), SizeIs(1));
    expect_cached();
  }

  fs::path folder_;
  fs::path model_;
  SessionOptions options_;
  std::vector<std::string> expected_;
};

// Weights that are made of others are known by these, and by what is done with them.
TEST_F(PackedCacheTest, KnowsFoldedWeights) {
  const auto write = [&](float variance) {
    ModelBuilder builder;
    builder.main.input("x", DType::float32, {"1", "5", "8", "8"}).constant("k", random_floats({40, 5, 3, 3}, 1));
    builder.main.constant("s", random_floats({40}, 2)).constant("v", floats({40}, std::vector<float>(40, variance)));
    builder.main.node("Conv", {"x", "k"}, {"c"})
        .node("BatchNormalization", {"c", "s", "s", "s", "v"}, {"y"})
        .output("y");
    write_file(model_, builder.bytes());
    expected_ = bits(Session(model_));
  };
  write(0.5F);
  const Session first(model_, options_);
  EXPECT_EQ(first.info().cached_bytes, 0U);
  expect_cached();
  write(0.75F);
  const Session other(model_, options_);
  EXPECT_EQ(other.info().cached_bytes, 0U);
  EXPECT_EQ(bits(other), expected_);
  expect_cached();
}

TEST_F(PackedCacheTest, GivesTheSecondSessionTheSameBits) {
  const Session first(model_, options_);
  EXPECT_EQ(first.info().cached_bytes, 0U);
  EXPECT_EQ(bits(first), expected_);
  expect_cached();
  EXPECT_EQ(bits(first), expected_);
}

TEST_F(PackedCacheTest, IsClosedToOthers) {
  const fs::path file = fill();
  EXPECT_EQ(fs::status(file).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(fs::status(options_.cache_directory).permissions(), fs::perms::owner_all);
}

TEST_F(PackedCacheTest, IsWrittenOnce) {
  const fs::path file = fill();
  struct stat before {};
  ASSERT_EQ(stat(file.c_str(), &before), 0);
  expect_cached();
  struct stat after {};
  ASSERT_EQ(stat(file.c_str(), &after), 0);
  EXPECT_EQ(after.st_ino, before.st_ino);
}

TEST_F(PackedCacheTest, ServesModelsInMemoryAndCopies) {
  for (int round = 0; round < 2; ++round) {
    const Session session(network(1).model(), options_);
    EXPECT_EQ(session.info().cached_bytes > 0, round > 0);
    EXPECT_EQ(bits(session), expected_);
  }
  LoadOptions read;
  read.weights = WeightMode::read;
  const Session session(Model::load(model_, read), options_);
  EXPECT_EQ(session.info().cached_bytes, session.info().packed_bytes);
  EXPECT_EQ(bits(session), expected_);
}

TEST_F(PackedCacheTest, KnowsOtherWeights) {
  fill();
  for (uint32_t seed = 2; seed < 12; ++seed) {
    write_file(model_, network(seed).bytes());
    expected_ = bits(Session(model_));
    const Session session(model_, options_);
    EXPECT_EQ(session.info().cached_bytes, 0U);
    EXPECT_EQ(bits(session), expected_);
    expect_cached();
  }
  EXPECT_THAT(files(), SizeIs(1));
}

TEST_F(PackedCacheTest, KnowsOneOtherWeightInAFileChangedInPlace) {
  fill();
  std::string bytes = read_file(model_);
  const Tensor weight = random_floats({24, 5, 3, 3}, 1);
  const std::string elements(static_cast<const char*>(weight.data()), weight.bytes());
  const size_t at = bytes.find(elements);
  ASSERT_NE(at, std::string::npos);
  const float other = 100;
  std::memcpy(bytes.data() + at + 333 * sizeof other, &other, sizeof other);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // that the file's times are others
  write_file(model_, bytes);
  const auto before = expected_;
  expected_ = bits(Session(model_));
  EXPECT_NE(expected_, before);
  EXPECT_EQ(bits(Session(model_, options_)), expected_);
  expect_cached();
}

TEST_F(PackedCacheTest, KeepsAFileForEachSetOfOptions) {
  fill();
  options_.precision = Precision::strict;
  const Session strict(model_, options_);
  EXPECT_EQ(strict.info().cached_bytes, 0U);
  EXPECT_THAT(files(), SizeIs(2));
  options_.precision = Precision::standard;
  expect_cached();
}

TEST_F(PackedCacheTest, MendsEveryShortFile) {
  const fs::path file = fill();
  const std::string good = read_file(file);
  for (const size_t size : {size_t{0}, size_t{1}, kTableAt - 1}) {
    write_file(file, good.substr(0, size));
    expect_mended("too short");
  }
  for (const size_t size : {kTableAt, kTableAt + 5, kTableAt + kTableEntry, good.size() / 2, good.size() - 1}) {
    write_file(file, good.substr(0, size));
    expect_mended("size is wrong");
  }
  write_file(file, good + '\0');
  expect_mended("size is wrong");
}

TEST_F(PackedCacheTest, MendsEveryFlippedByteOfHeaderAndTable) {
  const fs::path file = fill();
  const std::string good = read_file(file);
  uint64_t count = 0;
  std::memcpy(&count, good.data() + kEntryCountAt, sizeof count);
  ASSERT_GE(count, 3U);
  for (size_t at = 0; at < kTableAt + count * kTableEntry; ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x20);
    write_file(file, bad);
    expect_mended("cannot use '" + file.string() + "'");
    if (HasFailure()) break;
  }
}

TEST_F(PackedCacheTest, RefusesTablesThatLeaveTheFile) {
  const fs::path file = fill();
  const std::string good = read_file(file);
  const uint64_t huge = ~uint64_t{0};
  const std::array<std::pair<size_t, uint64_t>, 7> changes = {{{kOffsetInEntry, good.size()},
                                                               {kOffsetInEntry, huge - 63},
                                                               {kOffsetInEntry, 64},
                                                               {kOffsetInEntry, 4097},
                                                               {kBytesInEntry, good.size()},
                                                               {kBytesInEntry, huge},
                                                               {kBytesInEntry, huge / 2}}};
  for (const auto& [at, value] : changes) {
    std::string bad = good;
    uint64_t count = 0;
    std::memcpy(&count, bad.data() + kEntryCountAt, sizeof count);
    std::memcpy(bad.data() + kTableAt + at, &value, sizeof value);
    const Hash128 hash = hash_text(std::string_view(bad).substr(kTableAt, count * kTableEntry));
    std::memcpy(bad.data() + kTableHashAt, &hash, sizeof hash);
    write_file(file, bad);
    expect_mended("damaged");
  }
}

TEST_F(PackedCacheTest, MendsFilesOfOtherBuilds) {
  const fs::path file = fill();
  PackedFileKey key;
  std::memcpy(&key.model, read_file(file).data() + 96, sizeof key.model);
  key.isa = isa_name(selected_isa());
  key.build = "0.0.1";
  PackedFile::write(file, key, {});
  EXPECT_EQ(options_.cache_directory / key.file_name(), file);
  expect_mended("another build");
}

TEST_F(PackedCacheTest, MendsFilesThatOthersMayRead) {
  const fs::path file = fill();
  for (const auto permission : {fs::perms::group_read, fs::perms::others_write}) {
    fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write | permission);
    expect_mended("others than this user");
  }
}

TEST_F(PackedCacheTest, MendsLinks) {
  const fs::path file = fill();
  const fs::path elsewhere = folder_ / "elsewhere";
  fs::rename(file, elsewhere);
  fs::create_symlink(elsewhere, file);
  expect_mended("cannot read");
  EXPECT_TRUE(fs::exists(elsewhere));
  fs::remove(elsewhere);
  fs::remove(file);
  fs::create_symlink(elsewhere, file);
  expect_mended("cannot read");
  EXPECT_FALSE(fs::exists(elsewhere));
}

TEST_F(PackedCacheTest, IsForOneInstructionSet) {
  const fs::path file = fill();
  if (selected_isa() == Isa::sse2) return expect_cached();
  set_isa_cap_for_testing(Isa::sse2);
  expected_ = bits(Session(model_));
  {
    const Session session(model_, options_);
    EXPECT_EQ(session.info().cached_bytes, 0U);
    EXPECT_EQ(bits(session), expected_);
  }
  expect_cached();
  ASSERT_THAT(files(), SizeIs(2));
  const fs::path other = files()[0] == file ? files()[1] : files()[0];
  fs::rename(file, other);
  expect_mended("another instruction set");
}

TEST_F(PackedCacheTest, IsWrittenByManyAtOnce) {
  constexpr int kThreads = 4;
  std::array<bool, kThreads> good{};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      bool is_good = true;
      for (int round = 0; round < 10; ++round) {
        const Session session(model_, options_);
        is_good = is_good && session.info().warnings.empty() && bits(session) == expected_;
        for (const fs::path& path : files()) {
          std::error_code gone;
          if (round % 3 == i % 3 && path.extension() == ".packed") fs::remove(path, gone);
        }
      }
      good[static_cast<size_t>(i)] = is_good;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(good, ::testing::Each(true));
  EXPECT_EQ(bits(Session(model_, options_)), expected_);
  EXPECT_THAT(files(), SizeIs(1));
  expect_cached();
}

TEST_F(PackedCacheTest, MayBeAbsentOrUnwritable) {
  write_file(folder_ / "file", "");
  for (const fs::path& folder : {fs::path("/proc/onnxrun"), folder_ / "file", folder_ / "file" / "below"}) {
    options_.cache_directory = folder;
    const Session session(model_, options_);
    EXPECT_THAT(session.info().warnings, ElementsAre(HasSubstr(folder.string())));
    EXPECT_EQ(bits(session), expected_);
  }
}

TEST_F(PackedCacheTest, MayBeAFolderItself) {
  const fs::path file = fill();
  fs::remove(file);
  fs::create_directory(file);
  const Session session(model_, options_);
  EXPECT_THAT(session.info().warnings, SizeIs(2));
  EXPECT_EQ(bits(session), expected_);
  EXPECT_THAT(files(), ElementsAre(file));
}

TEST_F(PackedCacheTest, NeedsRoom) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small = {1000, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const Session session(model_, options_);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_THAT(session.info().warnings, ElementsAre(HasSubstr("cannot write")));
  EXPECT_EQ(bits(session), expected_);
  EXPECT_THAT(files(), IsEmpty());
}

TEST_F(PackedCacheTest, PacksTheRestInMemory) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"1", "5", "h", "8"}).output("y");
  builder.main.constant("k", random_floats({24, 5, 3, 3}, 1)).node("Conv", {"x", "k"}, {"y"});
  const auto expected = bits(Session(builder.model()));
  for (int round = 0; round < 2; ++round) {
    const Session session(builder.model(), options_);
    EXPECT_THAT(session.info().warnings, IsEmpty());
    EXPECT_EQ(bits(session), expected);
    EXPECT_GT(session.info().packed_bytes, 0U);
    EXPECT_EQ(session.info().cached_bytes, 0U);
  }
}

// Two products by one weight, with factors that differ from the seventh digit behind the point on.
TEST(PackedStore, KeepsSmallFactorsApart) {
  ModelBuilder builder;
  builder.main.input("x", DType::float32, {"64", "96"}).output("y").output("z");
  builder.main.constant("w", random_floats({96, 64}, 1));
  builder.main.node("Gemm", {"x", "w"}, {"y"}, {{"alpha", 1e-7F}}).node("Gemm", {"x", "w"}, {"z"}, {{"alpha", 2e-7F}});
  const Session session(builder.model());
  const auto outputs = session.run(std::vector<Value>{random_floats({64, 96}, 2)});
  const std::vector<float> y = elements(outputs[0]);
  const std::vector<float> z = elements(outputs[1]);
  for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(z[i], 2 * y[i], 1e-11) << i;
}

}  // namespace
}  // namespace onnxrun
