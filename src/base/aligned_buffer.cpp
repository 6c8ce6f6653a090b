#include "base/aligned_buffer.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <string>

#include "base/checked.h"
#include "onnxrun/error.h"

namespace onnxrun {
namespace {

std::atomic<size_t> allocated{0};

size_t machine_memory() {
  const auto physical = static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
  size_t limit = physical;
  // Control groups version 2 and 1; "max" and absent files leave the machine's memory.
  for (const char* path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::ifstream file(path);
    size_t bytes = 0;
    if (file >> bytes) limit = std::min(limit, bytes);
  }
  return limit;
}

std::atomic<size_t>& limit() {
  static std::atomic<size_t> bytes{machine_memory()};
  return bytes;
}

}  // namespace

void AlignedDelete::operator()(std::byte* data) const noexcept {
  std::free(data);
  allocated.fetch_sub(bytes, std::memory_order_relaxed);
}

AlignedBuffer allocate_aligned(size_t bytes) {
  const size_t alignment = bytes >= kHugePage ? kHugePage : kAlignment;
  const size_t rounded = align_up(std::max<size_t>(bytes, 1), kAlignment);
  const size_t before = allocated.fetch_add(rounded, std::memory_order_relaxed);
  void* data = rounded >= bytes && before + rounded <= memory_limit()
                   ? std::aligned_alloc(alignment, align_up(rounded, alignment))
                   : nullptr;
  if (!data) {
    allocated.fetch_sub(rounded, std::memory_order_relaxed);
    throw Error(ErrorCode::limit, std::to_string(bytes) + " bytes of memory are refused: " + std::to_string(before) +
                                      " are in use, the limit is " + std::to_string(memory_limit()));
  }
  if (alignment == kHugePage) madvise(data, rounded, MADV_HUGEPAGE);
  return AlignedBuffer(static_cast<std::byte*>(data), AlignedDelete{rounded});
}

size_t allocated_bytes() noexcept { return allocated.load(std::memory_order_relaxed); }

size_t memory_limit() noexcept { return limit().load(std::memory_order_relaxed); }

void set_memory_limit(size_t bytes) noexcept { limit().store(bytes, std::memory_order_relaxed); }

}  // namespace onnxrun
