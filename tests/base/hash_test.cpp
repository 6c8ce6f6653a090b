#include "base/hash.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace onnxrun {
namespace {

std::vector<std::byte> sample(size_t size) {
  std::vector<std::byte> bytes(size);
  uint32_t state = 1;
  for (std::byte& byte : bytes) byte = static_cast<std::byte>((state = state * 1664525 + 1013904223) >> 24);
  return bytes;
}

TEST(Hash, DiffersForEveryBit) {
  for (const size_t size : {1, 63, 64, 65, 200}) {
    std::vector<std::byte> bytes = sample(size);
    std::set<uint64_t> low = {hash_bytes(bytes).low};
    std::set<uint64_t> high = {hash_bytes(bytes).high};
    for (size_t bit = 0; bit < 8 * size; ++bit) {
      const std::byte mask{static_cast<uint8_t>(1 << bit % 8)};
      bytes[bit / 8] ^= mask;
      low.insert(hash_bytes(bytes).low);
      high.insert(hash_bytes(bytes).high);
      bytes[bit / 8] ^= mask;
    }
    EXPECT_EQ(low.size(), 8 * size + 1) << size;
    EXPECT_EQ(high.size(), 8 * size + 1) << size;
  }
}

TEST(Hash, DiffersForLengthsOfZerosAndForSeeds) {
  const std::vector<std::byte> zeros(300);
  std::set<Hash128> hashes;
  for (size_t size = 0; size <= zeros.size(); ++size) hashes.insert(hash_bytes(std::span(zeros).first(size)));
  EXPECT_EQ(hashes.size(), zeros.size() + 1);
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    hashes.insert(hash_bytes(zeros, {seed, 0}));
    hashes.insert(hash_bytes(zeros, {0, seed}));
  }
  EXPECT_EQ(hashes.size(), zeros.size() + 201);
}

TEST(Hash, DoesNotDependOnTheAddress) {
  const std::vector<std::byte> bytes = sample(150);
  std::vector<std::byte> moved(1);
  moved.insert(moved.end(), bytes.begin(), bytes.end());
  EXPECT_EQ(hash_bytes(std::span(moved).subspan(1)), hash_bytes(bytes));
  EXPECT_EQ(hash_text("abc"), hash_text(std::string("abc")));
}

TEST(Hash, DiffersForBlocksInAnotherOrder) {
  std::vector<std::byte> bytes = sample(128);
  const Hash128 hash = hash_bytes(bytes);
  std::swap_ranges(bytes.begin(), bytes.begin() + 64, bytes.begin() + 64);
  EXPECT_NE(hash_bytes(bytes), hash);
}

}  // namespace
}  // namespace onnxrun
