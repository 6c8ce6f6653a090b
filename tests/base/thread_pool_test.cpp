#include "base/thread_pool.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <tbb/global_control.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>
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

// Loops too short for every thread to arrive, of changing length, from several callers.
TEST(ThreadPool, RunsEveryTileOnceOfManyShortLoopsOfSeveralCallers) {
  const tbb::global_control raise(tbb::global_control::max_allowed_parallelism, 8);
  ThreadPool pool(3);
  const auto call = [&pool](int64_t seed) {
    std::vector<int> counts(40);  // written by whoever runs the tile
    for (int64_t loop = 0; loop < 3000; ++loop) {
      const int64_t tiles = (loop * 7 + seed) % 40 + 1;
      auto body = [&](int64_t tile, int /*worker*/) { ++counts[static_cast<size_t>(tile)]; };
      pool.parallel_for(tiles, body);
      for (int64_t tile = 0; tile < 40; ++tile) {
        ASSERT_EQ(std::exchange(counts[static_cast<size_t>(tile)], 0), tile < tiles ? 1 : 0);
      }
    }
  };
  std::thread first(call, 1);
  std::thread second(call, 2);
  call(3);
  first.join();
  second.join();
}

TEST(ThreadPool, WorksOnOneThreadWithinABody) {
  ThreadPool pool(2);
  std::atomic<int> count{0};
  auto inner = [&](int64_t /*tile*/, int worker) {
    EXPECT_EQ(worker, 0);
    ++count;
  };
  auto outer = [&](int64_t /*tile*/, int /*worker*/) {
    const std::thread::id thread = std::this_thread::get_id();
    auto body = [&](int64_t tile, int worker) {
      EXPECT_EQ(std::this_thread::get_id(), thread);
      inner(tile, worker);
    };
    pool.parallel_for(5, body);
  };
  pool.parallel_for(8, outer);
  EXPECT_EQ(count, 40);
}

// A child process has none of the threads: it works alone, and ends.
TEST(ThreadPool, OutlivesAFork) {
  auto pool = std::make_unique<ThreadPool>(2);
  auto body = [](int64_t /*tile*/, int /*worker*/) { std::this_thread::sleep_for(100us); };
  pool->parallel_for(10, body);
  const pid_t child = fork();
  if (child == 0) {
    std::atomic<int> count{0};
    auto counting = [&](int64_t /*tile*/, int /*worker*/) { ++count; };
    pool->parallel_for(10, counting);
    pool.reset();
    _exit(count == 10 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(ThreadPool, GoesBackwards) {
  for (const int threads : {1, 2}) {
    ThreadPool pool(threads);
    std::vector<std::vector<int64_t>> tiles(2);
    auto body = [&](int64_t tile, int worker) { tiles[static_cast<size_t>(worker)].push_back(tile); };
    pool.parallel_for(50, body, true);
    EXPECT_EQ(tiles[0].size() + tiles[1].size(), 50U);
    if (threads == 1) {
      EXPECT_TRUE(std::is_sorted(tiles[0].rbegin(), tiles[0].rend()));
    }
  }
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
