#include "base/thread_pool.h"

#include <sched.h>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace onnxrun {
namespace {

using Body = FunctionRef<void(int64_t tile, int worker)>;

constexpr auto kLookOut = std::chrono::microseconds(50);  // for the next loop, before a thread leaves its team
constexpr int kPausesOfClock = 64;                        // between two looks at the clock
constexpr int kPausesOfWait = 4096;                       // before a waiting thread lets others run
constexpr size_t kSeparation = 128;                       // bytes between what different threads write

thread_local bool inside_body = false;

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

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

namespace {

// A caller and the threads that help it with one loop after the other.
class Team {
 public:
  explicit Team(int threads) : shares_(static_cast<size_t>(threads)) {}

  // `enqueue(worker)` makes a thread call help(worker) soon. Returns what a body threw.
  template <class Enqueue>
  std::exception_ptr run(int64_t tiles, const Body& body, bool backwards, const Enqueue& enqueue) {
    body_ = &body;
    backwards_.store(backwards, std::memory_order_relaxed);
    done_.store(0, std::memory_order_relaxed);
    failed_.store(false, std::memory_order_relaxed);
    const auto members = static_cast<int64_t>(std::min<size_t>(shares_.size(), static_cast<size_t>(tiles)));
    for (int64_t i = 0; i < members; ++i) {
      shares_[static_cast<size_t>(i)].tiles.store(pack(tiles * i / members, tiles * (i + 1) / members),
                                                  std::memory_order_release);
    }
    loops_.fetch_add(1, std::memory_order_release);
    for (int64_t i = 1; i < members; ++i) {
      Helper absent = Helper::absent;
      std::atomic<Helper>& helper = shares_[static_cast<size_t>(i)].helper;
      if (helper.load(std::memory_order_relaxed) == absent && helper.compare_exchange_strong(absent, Helper::called)) {
        try {
          enqueue(static_cast<int>(i));
        } catch (...) {  // it goes without the thread
          helper.store(Helper::absent);
        }
      }
    }
    work(0);
    for (int pauses = 0; done_.load(std::memory_order_acquire) != tiles; ++pauses) {
      if (pauses < kPausesOfWait) {
        pause();
      } else {
        std::this_thread::yield();
      }
    }
    return std::exchange(error_, nullptr);
  }

  // Takes part in loops until there has been none for a while.
  void help(int worker) {
    std::atomic<Helper>& helper = shares_[static_cast<size_t>(worker)].helper;
    if (Helper called = Helper::called; !helper.compare_exchange_strong(called, Helper::here)) return;
    uint64_t seen = 0;
    auto since = std::chrono::steady_clock::now();
    for (int pauses = 0; !closed_.load(std::memory_order_relaxed); ++pauses) {
      const uint64_t loops = loops_.load(std::memory_order_acquire);
      if (loops != seen) {
        seen = loops;
        work(worker);
        since = std::chrono::steady_clock::now();
      } else if (pauses % kPausesOfClock == 0 && std::chrono::steady_clock::now() - since > kLookOut) {
        break;
      }
      pause();
    }
    helper.store(Helper::absent, std::memory_order_release);
  }

  // Returns when no thread helps any longer; one that was called and comes later goes away at once.
  void close() {
    closed_.store(true, std::memory_order_relaxed);
    for (Share& share : shares_) {
      Helper called = Helper::called;
      share.helper.compare_exchange_strong(called, Helper::absent);
      while (share.helper.load(std::memory_order_acquire) == Helper::here) std::this_thread::yield();
    }
  }

 private:
  // The tiles [begin, end) that nobody has begun: both in one word, begin above.
  static uint64_t pack(int64_t begin, int64_t end) {
    return static_cast<uint64_t>(begin) << 32 | static_cast<uint64_t>(end);
  }
  enum class Helper : uint8_t { absent, called, here };
  struct alignas(kSeparation) Share {
    std::atomic<uint64_t> tiles{0};
    std::atomic<Helper> helper{Helper::absent};  // the thread that is this worker
  };

  // A tile of a share, its first or its last; -1: none is left. Whoever gets one may read what belongs to the loop,
  // which does not end before the tile is done.
  static int64_t claim(Share& share, bool first) {
    uint64_t tiles = share.tiles.load(std::memory_order_acquire);
    for (;;) {
      const auto begin = static_cast<int64_t>(tiles >> 32), end = static_cast<int64_t>(tiles & 0xffffffff);
      if (begin == end) return -1;
      const uint64_t rest = first ? pack(begin + 1, end) : pack(begin, end - 1);
      if (share.tiles.compare_exchange_weak(tiles, rest, std::memory_order_acq_rel, std::memory_order_acquire)) {
        return first ? begin : end - 1;
      }
    }
  }

  void work(int worker) {
    int64_t finished = 0;
    inside_body = true;
    const size_t count = shares_.size();
    for (size_t i = 0; i < count; ++i) {
      Share& share = shares_[(static_cast<size_t>(worker) + i) % count];
      // The owner takes what is first in its order, the others what is last.
      const bool first = (i == 0) != backwards_.load(std::memory_order_relaxed);
      for (int64_t tile = 0; (tile = claim(share, first)) >= 0; ++finished) {
        if (failed_.load(std::memory_order_relaxed)) continue;
        try {
          (*body_)(tile, worker);
        } catch (...) {
          if (!failed_.exchange(true)) error_ = std::current_exception();
        }
      }
    }
    inside_body = false;
    if (finished > 0) done_.fetch_add(finished, std::memory_order_acq_rel);
  }

  std::vector<Share> shares_;  // by worker, the caller first
  const Body* body_ = nullptr;
  std::atomic<bool> backwards_{false};  // either order is right for a thread that sees an older loop's
  std::exception_ptr error_;
  std::atomic<bool> failed_{false};
  std::atomic<bool> closed_{false};
  alignas(kSeparation) std::atomic<uint64_t> loops_{0};
  alignas(kSeparation) std::atomic<int64_t> done_{0};
};

}  // namespace

class ThreadPool::Arena {
 public:
  explicit Arena(int threads) : threads_(threads), arena_(threads) {}
  ~Arena() {
    if (getpid() != process_) return;  // a fork has none of the threads
    for (const auto& team : idle_) team->close();
  }

  void run(int64_t tiles, const Body& body, bool backwards) {
    std::shared_ptr<Team> team = take();
    // A thread may come late, when the pool has gone.
    const auto enqueue = [&](int worker) { arena_.enqueue([team, worker] { team->help(worker); }); };
    const std::exception_ptr error = team->run(tiles, body, backwards, enqueue);
    put_back(std::move(team));
    if (error) std::rethrow_exception(error);
  }

 private:
  // The team that worked last, for its threads may still be there.
  std::shared_ptr<Team> take() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) {
      idle_.reserve(++team_count_);
      return std::make_shared<Team>(threads_);
    }
    std::shared_ptr<Team> team = std::move(idle_.back());
    idle_.pop_back();
    return team;
  }
  void put_back(std::shared_ptr<Team> team) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(team));
  }

  const int threads_;
  const pid_t process_ = getpid();
  tbb::task_arena arena_;
  std::mutex mutex_;
  size_t team_count_ = 0;  // as many as there were callers at once
  std::vector<std::shared_ptr<Team>> idle_;
};

ThreadPool::ThreadPool(int threads) : threads_(std::max(1, threads)) {
  const auto most = tbb::global_control::active_value(tbb::global_control::max_allowed_parallelism);
  const int used = std::min(threads_, static_cast<int>(std::min<size_t>(most, 1024)));
  if (used > 1) arena_ = std::make_unique<Arena>(used);
}

ThreadPool::~ThreadPool() = default;

void ThreadPool::parallel_for(int64_t tiles, FunctionRef<void(int64_t, int)> body, bool backwards) {
  constexpr int64_t kMostTiles = 0xffffffff;
  if (!arena_ || tiles <= 1 || tiles > kMostTiles || inside_body) {
    for (int64_t i = 0; i < tiles; ++i) body(backwards ? tiles - 1 - i : i, 0);
    return;
  }
  arena_->run(tiles, body, backwards);
}

}  // namespace onnxrun
