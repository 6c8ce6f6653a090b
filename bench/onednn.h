// oneDNN (https://uxlfoundation.github.io/oneDNN/v2/), the opponent where it is installed.
#pragma once

#ifdef ONNXRUN_BENCH_ONEDNN

#include <omp.h>

#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bench_support.h"

namespace onnxrun::bench {

// Its processor, on one thread.
inline const dnnl::engine& onednn_engine() {
  static const dnnl::engine engine = [] {
    omp_set_num_threads(1);
    return dnnl::engine(dnnl::engine::kind::cpu, 0);
  }();
  return engine;
}

// Floats laid out as `tag` says; any: as the primitive likes best.
inline dnnl::memory::desc onednn_floats(const dnnl::memory::dims& dims, dnnl::memory::format_tag tag) {
  return {dims, dnnl::memory::data_type::f32, tag};
}

// Measures a primitive on drawn operands, each an argument's number and its layout.
inline void run_onednn(benchmark::State& state, const dnnl::primitive& primitive,
                       const std::vector<std::pair<int, dnnl::memory::desc>>& operands) {
  std::vector<Floats> data;
  std::unordered_map<int, dnnl::memory> arguments;
  for (const auto& [number, layout] : operands) {
    data.emplace_back(layout.get_size() / sizeof(float));
    arguments.emplace(number, dnnl::memory(layout, onednn_engine(), data.back().get()));
  }
  dnnl::stream stream(onednn_engine());
  for ([[maybe_unused]] auto _ : state) {
    primitive.execute(stream, arguments);
    stream.wait();
  }
}

}  // namespace onnxrun::bench

#endif
