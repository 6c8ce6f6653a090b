// LSTM, GRU and RNN: one sequence whose weights fit the cache, one whose weights do not, and a batch.
#include "op_bench.h"

namespace onnxrun::bench {
namespace {

struct Sequences {
  int64_t length, batch, input, hidden, directions;
};

void recurrent(benchmark::State& state, const std::string& op, int64_t gates, const Sequences& s) {
  const int64_t rows = gates * s.hidden;
  run_op(state,
         {.op = op,
          .inputs = {random_floats({s.length, s.batch, s.input}, 1), random_floats({s.directions, rows, s.input}, 2),
                     random_floats({s.directions, rows, s.hidden}, 3), random_floats({s.directions, 2 * rows}, 4)},
          .attributes = {{"hidden_size", s.hidden},
                         {"direction", std::string(s.directions == 2 ? "bidirectional" : "forward")}}},
         2.0 * static_cast<double>(s.length * s.batch * s.directions * rows * (s.input + s.hidden)));
}

constexpr Sequences kSmall = {32, 1, 64, 128, 1}, kLarge = {32, 1, 512, 512, 1}, kBatch = {32, 16, 128, 256, 1},
                    kBoth = {32, 1, 64, 128, 2};

BENCHMARK_CAPTURE(recurrent, lstm_small, "LSTM", 4, kSmall);
BENCHMARK_CAPTURE(recurrent, lstm_large, "LSTM", 4, kLarge);
BENCHMARK_CAPTURE(recurrent, lstm_batch, "LSTM", 4, kBatch);
BENCHMARK_CAPTURE(recurrent, lstm_bidirectional, "LSTM", 4, kBoth);
BENCHMARK_CAPTURE(recurrent, gru_small, "GRU", 3, kSmall);
BENCHMARK_CAPTURE(recurrent, gru_large, "GRU", 3, kLarge);
BENCHMARK_CAPTURE(recurrent, gru_batch, "GRU", 3, kBatch);
BENCHMARK_CAPTURE(recurrent, rnn_small, "RNN", 1, kSmall);

}  // namespace
}  // namespace onnxrun::bench
