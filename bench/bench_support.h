#pragma once

#include <benchmark/benchmark.h>

#include <cstddef>
#include <memory>
#include <new>
#include <random>

namespace onnxrun::bench {

// 64-byte aligned floats, uniform in [-1, 1].
class Floats {
 public:
  explicit Floats(size_t count) : data_(new (std::align_val_t{64}) float[count + 16]) {
    std::mt19937 engine(1);
    std::uniform_real_distribution<float> uniform(-1, 1);
    for (size_t i = 0; i < count; ++i) data_[i] = uniform(engine);
  }
  float* get() const { return data_.get(); }

 private:
  struct Free {
    void operator()(float* p) const { ::operator delete[](p, std::align_val_t{64}); }
  };
  std::unique_ptr<float[], Free> data_;
};

// A counter of the rate of floating-point operations; shown as G/s.
inline void count_operations(benchmark::State& state, double operations_per_iteration) {
  state.counters["FLOP/s"] =
      benchmark::Counter(operations_per_iteration, benchmark::Counter::kIsIterationInvariantRate);
}

// A counter of the bytes that an iteration must read and write; shown as G/s.
inline void count_bytes(benchmark::State& state, double bytes_per_iteration) {
  state.counters["B/s"] = benchmark::Counter(bytes_per_iteration, benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace onnxrun::bench
