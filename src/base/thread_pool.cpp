#include "base/thread_pool.h"

#include <sched.h>
#include <tbb/parallel_for.h>
#include <tbb/partitioner.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <thread>

namespace onnxrun {
namespace {

constexpr int64_t kFewTiles = 4;  // of a thread

// The quota of control groups version 2 ("max 100000" or "150000 100000") in whole processors; a large number without.
int cgroup_processors() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return 1 << 20;
  return std::max(1, static_cast<int>(std::stod(quota) / period));
}

}  // namespace

int available_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  const int affinity = sched_getaffinity(0, sizeof(set), &set) == 0
                           ? CPU_COUNT(&set)
                           : static_cast<int>(std::thread::hardware_concurrency());
  return std::max(1, std::min(affinity, cgroup_processors()));
}

class ThreadPool::Arena {
 public:
  explicit Arena(int threads) : arena(threads) {}
  tbb::task_arena arena;
};

ThreadPool::ThreadPool(int threads) : threads_(std::max(1, threads)) {
  if (threads_ > 1) arena_ = std::make_unique<Arena>(threads_);
}

ThreadPool::~ThreadPool() = default;

void ThreadPool::parallel_for(int64_t tiles, FunctionRef<void(int64_t, int)> body) {
  if (!arena_ || tiles <= 1) {
    for (int64_t tile = 0; tile < tiles; ++tile) body(tile, 0);
    return;
  }
  arena_->arena.execute([&] {
    tbb::this_task_arena::isolate([&] {
      const auto run = [&](int64_t tile) { body(tile, tbb::this_task_arena::current_thread_index()); };
      // Few tiles go to the same threads each time, so that a thread finds its weights in its cache.
      if (tiles <= kFewTiles * threads_) {
        tbb::parallel_for(int64_t{0}, tiles, run, tbb::static_partitioner());
      } else {
        tbb::parallel_for(int64_t{0}, tiles, run, tbb::auto_partitioner());
      }
    });
  });
}

}  // namespace onnxrun
