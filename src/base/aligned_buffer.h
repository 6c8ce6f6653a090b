#pragma once

#include <cstddef>
#include <memory>

namespace onnxrun {

inline constexpr size_t kAlignment = 64;  // of every tensor and arena offset: a cache line, a 512-bit vector
inline constexpr size_t kHugePage = size_t{2} << 20;

struct AlignedDelete {
  size_t bytes = 0;
  void operator()(std::byte* data) const noexcept;
};
using AlignedBuffer = std::unique_ptr<std::byte, AlignedDelete>;

// Uninitialised memory, aligned to a cache line; from 2 MiB on, to a huge page, which the kernel is asked for.
// Counted against the memory limit. \throws Error(limit) where the limit or the machine refuses.
AlignedBuffer allocate_aligned(size_t bytes);

// Bytes that allocate_aligned has handed out and not got back. Thread-safe.
size_t allocated_bytes() noexcept;

// The most that allocated_bytes may reach in this process: by default the cgroup's or the machine's memory.
// Thread-safe.
size_t memory_limit() noexcept;
void set_memory_limit(size_t bytes) noexcept;

}  // namespace onnxrun
