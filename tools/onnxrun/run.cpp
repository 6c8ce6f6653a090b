#include <fstream>
#include <iostream>
#include <memory>

#include "command.h"
#include "format.h"
#include "inputs.h"
#include "onnxrun/error.h"
#include "options.h"
#include "outputs.h"

namespace onnxrun::cli {
namespace {

struct RunCommand {
  ModelOptions model;
  InputOptions inputs;
  std::vector<std::string> fetch;
  std::vector<std::string> destinations;
  int top = 0;
  std::string labels;
};

std::vector<std::string> read_lines(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw Error(ErrorCode::usage, "cannot read '" + path + "'");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// Every value that a node of the main graph gives and that is no output already.
std::vector<std::string> all_values(const Model& model) {
  std::vector<std::string> names;
  const auto is_output = [&](const std::string& name) {
    for (const ValueInfo& output : model.outputs()) {
      if (output.name == name) return true;
    }
    return false;
  };
  for (const NodeInfo& node : model.nodes()) {
    if (!node.path.empty()) continue;
    for (const std::string& name : node.outputs) {
      if (!name.empty() && !is_output(name)) names.push_back(name);
    }
  }
  return names;
}

void print_json(const RunCommand& command, std::span<const ValueInfo> infos, std::span<const Value> values) {
  nlohmann::ordered_json json = {{"schema", 1}, {"model", command.model.model}};
  auto& outputs = json["outputs"] = nlohmann::ordered_json::array();
  for (size_t i = 0; i < infos.size(); ++i) {
    nlohmann::ordered_json output = {{"name", infos[i].name}};
    output.update(value_json(values[i]));
    outputs.push_back(std::move(output));
  }
  std::cout << json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
}

void print_outputs(const RunCommand& command, std::span<const ValueInfo> infos, std::span<const Value> values,
                   const std::vector<std::string>& labels) {
  if (command.model.json) return print_json(command, infos, values);
  for (size_t i = 0; i < infos.size(); ++i) {
    if (command.top > 0) {
      print_top(std::cout, infos[i].name, values[i], command.top, labels);
    } else {
      print_value(std::cout, infos[i].name, values[i]);
    }
  }
}

int run(RunCommand& command) {
  const std::vector<std::string> labels =
      command.labels.empty() ? std::vector<std::string>() : read_lines(command.labels);
  const Model model = load_model(command.model);
  for (const std::string& name : command.fetch) {
    std::vector<std::string>& extra = command.model.session.extra_outputs;
    if (name != "*") {
      extra.push_back(name);
    } else {
      extra = all_values(model);
    }
  }
  const Session session = make_session(model, command.model);
  for (const std::string& destination : command.destinations) check_destination(destination, session.outputs());
  const std::vector<Value> inputs = make_inputs(session.inputs(), command.inputs, command.model, false);
  const std::vector<Value> outputs = run_session(session, inputs, command.model);
  for (const std::string& destination : command.destinations) write_outputs(destination, session.outputs(), outputs);
  print_outputs(command, session.outputs(), outputs, labels);
  note_session(session, command.model);
  return kOk;
}

}  // namespace

Command add_run(CLI::App& root) {
  auto command = std::make_shared<RunCommand>();
  CLI::App* app = root.add_subcommand("run", "Run a model and print its outputs (the word 'run' may be left out)");
  add_model_options(*app, command->model);
  add_input_options(*app, command->inputs);
  app->add_option("-o,--output", command->destinations, "out.npz, folder/, NAME=file.npy or NAME=file.pb (repeatable)")
      ->type_name("FILE")
      ->allow_extra_args(false);
  app->add_option("--fetch", command->fetch, "Give an intermediate value too; '*' gives all (repeatable)")
      ->type_name("TENSOR")
      ->allow_extra_args(false);
  app->add_option("--topk", command->top, "Print the K largest elements of each row")
      ->type_name("K")
      ->check(CLI::PositiveNumber);
  app->add_option("--labels", command->labels, "A file with one label a line, for --topk")->type_name("FILE");
  return {app, [command] { return run(*command); }};
}

}  // namespace onnxrun::cli
