#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "command.h"
#include "inputs.h"
#include "options.h"
#include "quantity.h"

namespace onnxrun::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct ProfileCommand {
  ModelOptions model;
  InputOptions inputs;
  std::string by = "node";
  std::string warmup = "200ms";
  std::string duration = "1s";
};

struct Row {
  std::string name, implementation, output;
  size_t calls = 0;
  double microseconds = 0;
  double operations = 0;  // multiplications and additions of products
};

// "Conv" of "Conv 'conv1'".
std::string op_type(const StepInfo& step) { return step.node.substr(0, step.node.find(' ')); }

// "float32[1,64]" of "name float32[1,64]".
std::string output_type(const StepInfo& step) {
  if (step.outputs.empty()) return "";
  const std::string& output = step.outputs[0];
  return output.substr(output.rfind(' ') + 1);
}

// The steps of all runs, added up by node, or by operator and shape.
class Totals {
 public:
  explicit Totals(std::string by) : by_(std::move(by)) {}

  void add(const StepTime& time) {
    const std::string type = output_type(time.step);
    std::string key = time.step.node;
    if (by_ == "op") key = op_type(time.step) + "\n" + time.step.implementation;
    if (by_ == "shape") key = op_type(time.step) + "\n" + time.step.implementation + "\n" + type;
    const auto [place, is_new] = index_.try_emplace(key, rows_.size());
    if (is_new) {
      rows_.push_back(
          {by_ == "node" ? time.step.node : op_type(time.step), time.step.implementation, by_ == "op" ? "" : type});
    }
    Row& row = rows_[place->second];
    ++row.calls;
    row.microseconds += std::chrono::duration<double, std::micro>(time.duration).count();
    row.operations += 2 * time.step.multiply_adds;
  }

  // The longest first, `[other]` last: a row's time and calls are those of one run.
  std::vector<Row> rows(size_t runs, double microseconds) const {
    std::vector<Row> rows = rows_;
    double other = microseconds;
    for (const Row& row : rows) other -= row.microseconds;
    std::stable_sort(rows.begin(), rows.end(),
                     [](const Row& a, const Row& b) { return a.microseconds > b.microseconds; });
    rows.push_back({"[other]", "", "", runs, std::max(0.0, other), 0});
    for (Row& row : rows) {
      row.calls /= runs;
      row.microseconds /= static_cast<double>(runs);
      row.operations /= static_cast<double>(runs);
    }
    return rows;
  }

 private:
  std::string by_;
  std::vector<Row> rows_;
  std::map<std::string, size_t> index_;
};

void print(const ProfileCommand& command, const std::vector<Row>& rows, size_t runs, const SessionInfo& info) {
  double total = 0;
  for (const Row& row : rows) total += row.microseconds;
  if (command.model.json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const Row& row : rows) {
      list.push_back({{"name", row.name},
                      {"implementation", row.implementation},
                      {"output", row.output},
                      {"calls", row.calls},
                      {"us", row.microseconds},
                      {"gflop", row.operations / 1e9},
                      {"share", total > 0 ? row.microseconds / total : 0}});
    }
    const nlohmann::ordered_json json = {{"schema", 1},
                                         {"model", command.model.model},
                                         {"threads", info.threads},
                                         {"isa", info.isa},
                                         {"runs", runs},
                                         {"us", total},
                                         {"by", command.by},
                                         {"rows", std::move(list)}};
    std::printf("%s\n", json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
    return;
  }
  std::printf("%zu runs of %.1f us, %d threads, %s\n", runs, total, info.threads, info.isa.c_str());
  std::printf("%12s %6s %6s %8s %8s  %s\n", "us", "%", "calls", "GFLOP", "GFLOP/s",
              command.by == "node" ? "node" : "operator");
  for (const Row& row : rows) {
    std::printf("%12.2f %6.2f %6zu", row.microseconds, total > 0 ? 100 * row.microseconds / total : 0, row.calls);
    if (row.operations > 0 && row.microseconds > 0) {
      std::printf(" %8.4f %8.1f", row.operations / 1e9, row.operations / 1e3 / row.microseconds);
    } else {
      std::printf(" %8s %8s", "", "");
    }
    std::printf("  %s", row.name.c_str());
    if (!row.implementation.empty()) std::printf("  [%s]", row.implementation.c_str());
    if (!row.output.empty()) std::printf("  %s", row.output.c_str());
    std::printf("\n");
  }
}

int profile(ProfileCommand& command) {
  const auto warmup = parse_duration(command.warmup), duration = parse_duration(command.duration);
  const Model model = load_model(command.model);
  const Session session = make_session(model, command.model);
  const std::vector<Value> inputs = make_inputs(session.inputs(), command.inputs, command.model, true);
  auto begin = Clock::now();
  do run_session(session, inputs, command.model);
  while (Clock::now() - begin < warmup);

  // Every run that is watched is followed by one that is not, for the time of the whole.
  Totals totals(command.by);
  ModelOptions watched = command.model;
  watched.run.on_step = [&](const StepTime& time) { totals.add(time); };
  size_t runs = 0;
  std::chrono::duration<double, std::micro> whole{0};
  begin = Clock::now();
  do {
    run_session(session, inputs, watched);
    const auto start = Clock::now();
    run_session(session, inputs, command.model);
    whole += Clock::now() - start;
    ++runs;
  } while (Clock::now() - begin < duration);
  print(command, totals.rows(runs, whole.count()), runs, session.info());
  note_session(session, command.model);
  return kOk;
}

}  // namespace

Command add_profile(CLI::App& root) {
  auto command = std::make_shared<ProfileCommand>();
  CLI::App* app = root.add_subcommand("profile", "Tell where the time of a run goes");
  add_model_options(*app, command->model);
  add_input_options(*app, command->inputs);
  app->add_option("--by", command->by, "A row for each node, operator, or operator and shape")
      ->check(CLI::IsMember({"node", "op", "shape"}))
      ->capture_default_str();
  app->add_option("--warmup", command->warmup, "Runs before measuring")->type_name("TIME")->capture_default_str();
  app->add_option("--duration", command->duration, "Measure at least so long")
      ->type_name("TIME")
      ->capture_default_str();
  return {app, [command] { return profile(*command); }};
}

}  // namespace onnxrun::cli
