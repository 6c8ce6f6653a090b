#include "base/hash.h"

#include <array>
#include <cstring>

namespace onnxrun {
namespace {

__extension__ using Uint128 = unsigned __int128;

// The first digits of pi's fraction.
constexpr std::array<uint64_t, 8> kDigits = {0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0,
                                             0x082efa98ec4e6c89, 0x452821e638d01377, 0xbe5466cf34e90c6c,
                                             0xc0ac29b7c97c50dd, 0x3f84d5b5b5470917};
constexpr size_t kLanes = 4;
constexpr size_t kBlock = kLanes * 2 * sizeof(uint64_t);

uint64_t mix(uint64_t a, uint64_t b) {
  const Uint128 product = static_cast<Uint128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

void add_block(const std::byte* block, std::array<uint64_t, kLanes>& lanes) {
  std::array<uint64_t, 2 * kLanes> words;
  std::memcpy(words.data(), block, kBlock);
  for (size_t i = 0; i < kLanes; ++i) lanes[i] = mix(lanes[i] ^ words[2 * i], kDigits[i] ^ words[2 * i + 1]);
}

}  // namespace

Hash128 hash_bytes(std::span<const std::byte> bytes, Hash128 seed) noexcept {
  std::array<uint64_t, kLanes> lanes = {seed.low ^ kDigits[4], seed.high ^ kDigits[5], seed.low ^ kDigits[6],
                                        seed.high ^ kDigits[7]};
  size_t i = 0;
  for (; bytes.size() - i >= kBlock; i += kBlock) add_block(bytes.data() + i, lanes);
  std::array<std::byte, kBlock> rest{};
  if (i < bytes.size()) std::memcpy(rest.data(), bytes.data() + i, bytes.size() - i);
  add_block(rest.data(), lanes);
  const uint64_t size = bytes.size();
  const uint64_t a = mix(lanes[0] ^ size, lanes[1] ^ kDigits[0]);
  const uint64_t b = mix(lanes[2] ^ size, lanes[3] ^ kDigits[1]);
  return {mix(a ^ kDigits[2], b ^ kDigits[3]), mix(a ^ kDigits[4], b ^ kDigits[5] ^ size)};
}

}  // namespace onnxrun
