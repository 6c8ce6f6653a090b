#include "runtime/memory_planner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace onnxrun {
namespace {

// The most bytes that are in use at one step: no plan can need less.
size_t largest_simultaneous(const std::vector<Lifetime>& lifetimes, int steps) {
  size_t largest = 0;
  for (int step = 0; step < steps; ++step) {
    size_t sum = 0;
    for (const Lifetime& lifetime : lifetimes) {
      if (lifetime.first <= step && step <= lifetime.last) sum += (lifetime.bytes + 63) / 64 * 64;
    }
    largest = std::max(largest, sum);
  }
  return largest;
}

void expect_valid(const std::vector<Lifetime>& lifetimes, const MemoryPlan& plan) {
  for (size_t i = 0; i < lifetimes.size(); ++i) {
    EXPECT_EQ(plan.offsets[i] % 64, 0U);
    EXPECT_LE(plan.offsets[i] + lifetimes[i].bytes, plan.arena_bytes);
    for (size_t j = 0; j < i; ++j) {
      const bool same_time = lifetimes[i].first <= lifetimes[j].last && lifetimes[j].first <= lifetimes[i].last;
      const bool same_place = plan.offsets[i] < plan.offsets[j] + lifetimes[j].bytes &&
                              plan.offsets[j] < plan.offsets[i] + lifetimes[i].bytes;
      EXPECT_FALSE(same_time && same_place) << i << " and " << j;
    }
  }
}

TEST(MemoryPlanner, NothingNeedsNothing) { EXPECT_EQ(plan_memory({}).arena_bytes, 0U); }

TEST(MemoryPlanner, BlocksThatFollowEachOtherShare) {
  const std::vector<Lifetime> lifetimes = {{0, 1, 1000}, {2, 3, 1000}, {4, 5, 500}};
  EXPECT_EQ(plan_memory(lifetimes).arena_bytes, 1024U);
}

TEST(MemoryPlanner, RandomLifetimesNeverOverlapAndStayCloseToTheBound) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 generator(seed);
  for (int round = 0; round < 50; ++round) {
    const int steps = 2 + static_cast<int>(generator() % 60);
    std::vector<Lifetime> lifetimes;
    for (int i = 0; i < steps; ++i) {
      const int last = std::min(steps - 1, i + static_cast<int>(generator() % 4));
      lifetimes.push_back({i, last, generator() % 100000});
    }
    const MemoryPlan plan = plan_memory(lifetimes);
    expect_valid(lifetimes, plan);
    EXPECT_LE(plan.arena_bytes, 2 * largest_simultaneous(lifetimes, steps));
  }
}

}  // namespace
}  // namespace onnxrun
