#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace onnxrun {

// A block of memory that is in use from step `first` to step `last`, both included.
struct Lifetime {
  int first = 0;
  int last = 0;
  size_t bytes = 0;
};

struct MemoryPlan {
  std::vector<size_t> offsets;  // of each lifetime, multiples of 64
  size_t arena_bytes = 0;
};

// Places blocks so that no two that are in use at the same time overlap: the largest first, each into the smallest gap
// that holds it (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020). Pure.
MemoryPlan plan_memory(std::span<const Lifetime> lifetimes);

}  // namespace onnxrun
