#include "runtime/memory_planner.h"

#include <algorithm>
#include <numeric>

#include "base/aligned_buffer.h"
#include "base/checked.h"

namespace onnxrun {
namespace {

struct Block {
  size_t offset = 0;
  size_t bytes = 0;
  const Lifetime* lifetime = nullptr;
};

bool overlap(const Lifetime& a, const Lifetime& b) { return a.first <= b.last && b.first <= a.last; }

// The smallest gap between placed blocks that are in use at the same time, or behind them. `placed` is sorted by
// offset.
size_t best_offset(const std::vector<Block>& placed, const Lifetime& lifetime, size_t bytes) {
  constexpr size_t kNone = ~size_t{0};
  size_t end = 0;
  size_t best = kNone;
  size_t best_gap = kNone;
  for (const Block& block : placed) {
    if (!overlap(*block.lifetime, lifetime)) continue;
    if (block.offset > end) {
      const size_t gap = block.offset - end;
      if (gap >= bytes && gap < best_gap) {
        best = end;
        best_gap = gap;
      }
    }
    end = std::max(end, block.offset + block.bytes);
  }
  return best == kNone ? end : best;
}

}  // namespace

MemoryPlan plan_memory(std::span<const Lifetime> lifetimes) {
  std::vector<size_t> by_size(lifetimes.size());
  std::iota(by_size.begin(), by_size.end(), size_t{0});
  std::stable_sort(by_size.begin(), by_size.end(),
                   [&](size_t a, size_t b) { return lifetimes[a].bytes > lifetimes[b].bytes; });
  MemoryPlan plan;
  plan.offsets.resize(lifetimes.size());
  std::vector<Block> placed;
  for (const size_t index : by_size) {
    const size_t bytes = align_up(lifetimes[index].bytes, kAlignment);
    const size_t offset = best_offset(placed, lifetimes[index], bytes);
    plan.offsets[index] = offset;
    plan.arena_bytes = std::max(plan.arena_bytes, offset + bytes);
    const auto position = std::upper_bound(placed.begin(), placed.end(), offset,
                                           [](size_t value, const Block& block) { return value < block.offset; });
    placed.insert(position, {offset, bytes, &lifetimes[index]});
  }
  return plan;
}

}  // namespace onnxrun
