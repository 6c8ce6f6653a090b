// Attention: encoders, a long prompt, and one new token of a decoder.
#include "op_bench.h"

namespace onnxrun::bench {
namespace {

struct Heads {
  int64_t q_heads, kv_heads, queries, keys, size;
  bool causal;
};

void attention(benchmark::State& state, const Heads& h) {
  run_op(
      state,
      {.op = "Attention",
       .inputs = {random_floats({1, h.q_heads, h.queries, h.size}, 1),
                  random_floats({1, h.kv_heads, h.keys, h.size}, 2), random_floats({1, h.kv_heads, h.keys, h.size}, 3)},
       .fed = 3,
       .attributes = {{"is_causal", int64_t{h.causal}}},
       .opset = 23},
      4.0 * static_cast<double>(h.q_heads * h.queries * h.keys * h.size) * (h.causal ? 0.5 : 1));
}

BENCHMARK_CAPTURE(attention, encoder_128, Heads{12, 12, 128, 128, 64, false});
BENCHMARK_CAPTURE(attention, encoder_512, Heads{12, 12, 512, 512, 64, false});
BENCHMARK_CAPTURE(attention, windows_49, Heads{24, 24, 49, 49, 32, false});
BENCHMARK_CAPTURE(attention, causal_1024, Heads{8, 8, 1024, 1024, 64, true});
BENCHMARK_CAPTURE(attention, token_of_1024, Heads{12, 12, 1, 1024, 64, false});
BENCHMARK_CAPTURE(attention, token_grouped, Heads{32, 8, 1, 1024, 128, false});

}  // namespace
}  // namespace onnxrun::bench
