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
class ThreadPool {
 public:
  // `threads` counts the caller; 1 starts none.
  explicit ThreadPool(int threads);
  ~ThreadPool();

  int size() const noexcept { return threads_; }

  // Calls body(tile, worker) once for every tile in [0, tiles) and returns when all are done. `worker` is in
  // [0, size()) and no two calls that run at the same time within this parallel_for share one. A nested wait inside a
  // body never runs a body of an outer call. An exception of a body is rethrown here, and the other tiles may be left
  // out.
  void parallel_for(int64_t tiles, FunctionRef<void(int64_t tile, int worker)> body);

 private:
  class Arena;
  int threads_;
  std::unique_ptr<Arena> arena_;
};

}  // namespace onnxrun
