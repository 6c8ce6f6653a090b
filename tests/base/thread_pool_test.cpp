#include "base/thread_pool.h"

#include <gtest/gtest.h>
#include <tbb/global_control.h>

#include <atomic>
#include <chrono>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

namespace onnxrun {
namespace {

using namespace std::chrono_literals;

TEST(ThreadPool, RunsEveryTileOnce) {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    std::vector<std::atomic<int>> counts(1000);
    auto body = [&](int64_t tile, int worker) {
      EXPECT_GE(worker, 0);
      EXPECT_LT(worker, threads);
      ++counts[static_cast<size_t>(tile)];
    };
    pool.parallel_for(1000, body);
    for (const auto& count : counts) EXPECT_EQ(count, 1);
  }
}

// Each tile waits until as many tiles run at the same time as there are threads.
TEST(ThreadPool, UsesAsManyThreadsAsAskedFor) {
  const tbb::global_control raise(tbb::global_control::max_allowed_parallelism, 8);
  for (const int threads : {2, 3, 7}) {
    ThreadPool pool(threads);
    std::atomic<int> arrived{0};
    std::atomic<int> missed{0};
    auto body = [&](int64_t /*tile*/, int /*worker*/) {
      ++arrived;
      const auto deadline = std::chrono::steady_clock::now() + 20s;
      while (arrived < threads && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
      if (arrived < threads) ++missed;
    };
    pool.parallel_for(threads, body);
    EXPECT_EQ(missed, 0) << threads << " threads";
  }
}

TEST(ThreadPool, NoTwoTilesAtTheSameTimeShareAWorker) {
  const tbb::global_control raise(tbb::global_control::max_allowed_parallelism, 8);
  ThreadPool pool(4);
  std::vector<std::atomic<int>> busy(4);
  auto body = [&](int64_t /*tile*/, int worker) {
    EXPECT_EQ(busy[static_cast<size_t>(worker)]++, 0);
    std::this_thread::sleep_for(20us);
    --busy[static_cast<size_t>(worker)];
  };
  pool.parallel_for(500, body);
}

TEST(ThreadPool, PassesExceptionsOn) {
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    auto body = [](int64_t tile, int /*worker*/) {
      if (tile == 17) throw std::runtime_error("tile 17");
    };
    EXPECT_THROW(pool.parallel_for(100, body), std::runtime_error);
  }
}

}  // namespace
}  // namespace onnxrun
