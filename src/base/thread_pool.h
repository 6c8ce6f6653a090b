#pragma once

#include <cstdint>
#include <memory>

namespace onnxrun {

// A non-owning reference to a callable: two words, no allocation. Valid while the callable lives.
template <class Signature>
class FunctionRef;

template <class R, class... Args>
class FunctionRef<R(Args...)> {
 public:
  template <class F>
  FunctionRef(F& callable)  // NOLINT(google-explicit-constructor): it stands for the callable
      : object_(const_cast<void*>(static_cast<const void*>(&callable))),
        call_([](void* object, Args... args) -> R { return (*static_cast<F*>(object))(args...); }) {}

  R operator()(Args... args) const { return call_(object_, args...); }

 private:
  void* object_;
  R (*call_)(void*, Args...);
};

// Processors that this process may use: its affinity mask, capped by the cgroup's CPU quota; at least 1.
int available_processors();

// The threads that runs of a session share. Thread-safe.
//
// TBB gives the threads; how they meet is ours, since a step of a model may take but a few microseconds: a caller and
// the threads that joined it form a team, and for some 50 microseconds behind a loop they look out for the next one.
// Every thread begins with the same share of the tiles each time, so that it finds its weights in its cache, and then
// takes what others have not begun; the caller never waits for a thread that is not there.
class ThreadPool {
 public:
  // `threads` counts the caller; 1 starts none. No more than TBB allows are used: by default, one a processor.
  explicit ThreadPool(int threads);
  ~ThreadPool();

  int size() const noexcept { return threads_; }

  // Calls body(tile, worker) once for every tile in [0, tiles) and returns when all are done. `worker` is in
  // [0, size()) and no two calls that run at the same time within this parallel_for share one. Within a body it works
  // on one thread. Each thread takes its share in ascending or, `backwards`, in descending order. An exception of a
  // body is rethrown here, and the other tiles may be left out.
  void parallel_for(int64_t tiles, FunctionRef<void(int64_t tile, int worker)> body, bool backwards = false);

 private:
  class Arena;
  int threads_;
  std::unique_ptr<Arena> arena_;
};

}  // namespace onnxrun
