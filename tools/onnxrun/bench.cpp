#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

#include "command.h"
#include "inputs.h"
#include "options.h"
#include "progress.h"
#include "quantity.h"
#include "statistics.h"

namespace onnxrun::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kSteadyVariation = 0.025;  // the coefficient of variation above which a warning is given

struct BenchCommand {
  ModelOptions model;
  InputOptions inputs;
  std::string warmup = "200ms";
  std::string duration = "3s";
  size_t min_runs = 10;
  size_t runs = 0;  // 0: as many as the duration takes
};

double milliseconds_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

// A field of /proc/self/status that is a size, in MB of 2^20 bytes.
double status_megabytes(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(field + ":")) return std::stod(line.substr(field.size() + 1)) / 1024;
  }
  return 0;
}

struct Measurement {
  double load_ms = 0;
  double first_run_ms = 0;
  double rss_after_load_mb = 0;
  std::vector<double> runs_ms;
};

template <class Run>
void measure(const BenchCommand& command, const Run& run, Measurement& measurement) {
  const auto warmup = parse_duration(command.warmup), duration = parse_duration(command.duration);
  auto begin = Clock::now();
  run();
  measurement.first_run_ms = milliseconds_since(begin);
  for (begin = Clock::now(); Clock::now() - begin < warmup;) run();

  Progress progress("measuring", static_cast<size_t>(duration.count()), command.model.quiet || command.runs > 0);
  const auto enough = [&](size_t done, Clock::duration elapsed) {
    return command.runs > 0 ? done >= command.runs : done >= command.min_runs && elapsed >= duration;
  };
  begin = Clock::now();
  while (!enough(measurement.runs_ms.size(), Clock::now() - begin)) {
    const auto start = Clock::now();
    run();
    measurement.runs_ms.push_back(milliseconds_since(start));
    progress.update(static_cast<size_t>(std::min(Clock::now() - begin, Clock::duration(duration)).count()));
  }
}

void print(const BenchCommand& command, const Measurement& m, const SessionInfo& info) {
  const Statistics stats(m.runs_ms);
  const double variation = stats.mean > 0 ? stats.deviation / stats.mean : 0;
  const double peak_mb = status_megabytes("VmHWM");
  if (command.model.json) {
    const nlohmann::ordered_json json = {{"schema", 1},
                                         {"model", command.model.model},
                                         {"threads", info.threads},
                                         {"isa", info.isa},
                                         {"load_ms", m.load_ms},
                                         {"first_run_ms", m.first_run_ms},
                                         {"runs", m.runs_ms.size()},
                                         {"min_ms", stats.min},
                                         {"mean_ms", stats.mean},
                                         {"p50_ms", stats.percentile(50)},
                                         {"p90_ms", stats.percentile(90)},
                                         {"p95_ms", stats.percentile(95)},
                                         {"p99_ms", stats.percentile(99)},
                                         {"max_ms", stats.max},
                                         {"runs_per_s", 1000 / stats.mean},
                                         {"variation", variation},
                                         {"rss_after_load_mb", m.rss_after_load_mb},
                                         {"peak_rss_mb", peak_mb}};
    std::printf("%s\n", json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
    return;
  }
  std::printf("model      %s\n", command.model.model.c_str());
  std::printf("machine    %d threads, %s\n", info.threads, info.isa.c_str());
  std::printf("load       %.2f ms\n", m.load_ms);
  std::printf("first run  %.3f ms\n", m.first_run_ms);
  std::printf("latency    min %.3f  mean %.3f  p50 %.3f  p90 %.3f  p95 %.3f  p99 %.3f  max %.3f ms\n", stats.min,
              stats.mean, stats.percentile(50), stats.percentile(90), stats.percentile(95), stats.percentile(99),
              stats.max);
  std::printf("runs       %zu, %.2f a second, variation %.1f %%\n", m.runs_ms.size(), 1000 / stats.mean,
              100 * variation);
  std::printf("memory     %.1f MB after load, %.1f MB at most\n", m.rss_after_load_mb, peak_mb);
}

int bench(BenchCommand& command) {
  Measurement measurement;
  const auto begin = Clock::now();
  const Model model = load_model(command.model);
  const Session session = make_session(model, command.model);
  measurement.load_ms = milliseconds_since(begin);
  measurement.rss_after_load_mb = status_megabytes("VmRSS");
  const std::vector<Value> inputs = make_inputs(session.inputs(), command.inputs, command.model, true);
  measure(
      command, [&] { run_session(session, inputs, command.model); }, measurement);
  print(command, measurement, session.info());

  const Statistics stats(measurement.runs_ms);
  if (stats.deviation > kSteadyVariation * stats.mean) {
    note(command.model, "warning: the runs vary by more than 2.5 %: the machine is busy or changes its frequency");
  }
  note_session(session, command.model);
  return kOk;
}

}  // namespace

Command add_bench(CLI::App& root) {
  auto command = std::make_shared<BenchCommand>();
  CLI::App* app = root.add_subcommand("bench", "Measure load time, latency and memory of a model");
  add_model_options(*app, command->model);
  add_input_options(*app, command->inputs);
  app->add_option("--warmup", command->warmup, "Runs before measuring")->type_name("TIME")->capture_default_str();
  app->add_option("--duration", command->duration, "Measure at least so long")
      ->type_name("TIME")
      ->capture_default_str();
  app->add_option("--min-runs", command->min_runs, "Measure at least so many runs")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app->add_option("--runs", command->runs, "Measure exactly so many runs")->check(CLI::PositiveNumber);
  return {app, [command] { return bench(*command); }};
}

}  // namespace onnxrun::cli
