#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "command.h"
#include "inputs.h"
#include "options.h"
#include "quantity.h"

namespace onnxrun::cli {
namespace {

using Json = nlohmann::ordered_json;

struct InspectCommand {
  ModelOptions model;
  bool nodes = false;
};

// Types of values by name, where the compiled graph knows them; the graph is compiled as it stands.
using ValueTypes = std::map<std::string, std::string>;

// Multiplications and additions of the main graph's products, where all shapes are known.
double flop(const Session& session) {
  double sum = 0;
  for (const StepInfo& step : session.steps()) sum += 2 * step.multiply_adds;
  return sum;
}

ValueTypes inferred_types(const Session& session) {
  ValueTypes types;
  for (const StepInfo& step : session.steps()) {
    for (const std::string& output : step.outputs) {
      const size_t space = output.rfind(' ');
      if (space != std::string::npos) types[output.substr(0, space)] = output.substr(space + 1);
    }
  }
  return types;
}

std::string qualified(const std::string& domain, const std::string& op_type) {
  return domain.empty() || domain == "ai.onnx" ? op_type : domain + "." + op_type;
}

std::map<std::string, int> op_histogram(const std::vector<NodeInfo>& nodes) {
  std::map<std::string, int> counts;
  for (const NodeInfo& node : nodes) ++counts[qualified(node.domain, node.op_type)];
  return counts;
}

// "Conv-11 'conv1' (x, w) -> (y float32[1,64,112,112])", on one line.
std::string node_line(const NodeInfo& node, const ValueTypes& types) {
  std::string line = qualified(node.domain, node.op_type) + "-" + std::to_string(node.since_version);
  line += " '" + node.name + "' (";
  for (size_t i = 0; i < node.inputs.size(); ++i) line += (i ? ", " : "") + node.inputs[i];
  line += ") -> (";
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    line += (i ? ", " : "") + node.outputs[i];
    const auto type = types.find(node.outputs[i]);
    if (type != types.end()) line += " " + type->second;
  }
  return line + (node.path.empty() ? ")" : ") in " + node.path);
}

void print_values(const char* title, const std::vector<ValueInfo>& infos) {
  std::printf("%s\n", title);
  for (const ValueInfo& info : infos) std::printf("  %s  %s\n", info.name.c_str(), info.type.to_string().c_str());
}

void print_text(const InspectCommand& command, const Model& model, const std::optional<SessionInfo>& plan,
                double operations, const ValueTypes& types) {
  const std::vector<NodeInfo> nodes = model.nodes();
  if (command.nodes) {
    for (const NodeInfo& node : nodes) std::printf("%s\n", node_line(node, types).c_str());
    return;
  }
  std::printf("model       %s\n", command.model.model.c_str());
  std::printf("graph       %s\n", model.graph_name().c_str());
  std::printf("producer    %s\n", model.producer().c_str());
  std::printf("IR version  %lld\n", static_cast<long long>(model.ir_version()));
  for (const OpsetImport& opset : model.opsets()) {
    std::printf("opset       %s %lld\n", opset.domain.empty() ? "ai.onnx" : opset.domain.c_str(),
                static_cast<long long>(opset.version));
  }
  for (const auto& [key, value] : model.metadata()) std::printf("metadata    %s = %s\n", key.c_str(), value.c_str());
  std::printf("parameters  %lld (%s)\n", static_cast<long long>(model.parameter_count()),
              size_text(model.parameter_bytes()).c_str());
  if (plan) {
    std::printf("memory      packed weights %s, folded constants %s, arena %s\n", size_text(plan->packed_bytes).c_str(),
                size_text(plan->constant_bytes).c_str(),
                plan->arena_bytes ? size_text(plan->arena_bytes).c_str() : "known at the first run");
    if (operations > 0) std::printf("products    %.4f GFLOP\n", operations / 1e9);
  }
  print_values("inputs", model.inputs());
  print_values("outputs", model.outputs());
  std::printf("operators   %zu nodes\n", nodes.size());
  for (const auto& [op, count] : op_histogram(nodes)) std::printf("  %-24s %6d\n", op.c_str(), count);
}

Json values_json(const std::vector<ValueInfo>& infos) {
  Json values = Json::array();
  for (const ValueInfo& info : infos) values.push_back({{"name", info.name}, {"type", info.type.to_string()}});
  return values;
}

void print_json(const InspectCommand& command, const Model& model, const std::optional<SessionInfo>& plan,
                double operations, const ValueTypes& types) {
  Json json = {{"schema", 1},
               {"model", command.model.model},
               {"graph", model.graph_name()},
               {"producer", model.producer()},
               {"ir_version", model.ir_version()}};
  for (const OpsetImport& opset : model.opsets()) {
    json["opsets"][opset.domain.empty() ? "ai.onnx" : opset.domain] = opset.version;
  }
  json["metadata"] = Json::object();
  for (const auto& [key, value] : model.metadata()) json["metadata"][key] = value;
  json["inputs"] = values_json(model.inputs());
  json["outputs"] = values_json(model.outputs());
  json["parameters"] = model.parameter_count();
  json["parameter_bytes"] = model.parameter_bytes();
  if (plan) {
    json["packed_bytes"] = plan->packed_bytes;
    json["constant_bytes"] = plan->constant_bytes;
    json["arena_bytes"] = plan->arena_bytes;
    json["flop"] = operations;
  }
  const std::vector<NodeInfo> nodes = model.nodes();
  json["node_count"] = nodes.size();
  json["operators"] = op_histogram(nodes);
  if (command.nodes) {
    Json& list = json["nodes"] = Json::array();
    for (const NodeInfo& node : nodes) {
      Json outputs = Json::array();
      for (const std::string& name : node.outputs) {
        const auto type = types.find(name);
        outputs.push_back({{"name", name}, {"type", type == types.end() ? Json() : Json(type->second)}});
      }
      list.push_back({{"name", node.name},
                      {"domain", node.domain},
                      {"op_type", node.op_type},
                      {"since_version", node.since_version},
                      {"path", node.path},
                      {"inputs", node.inputs},
                      {"outputs", outputs}});
    }
  }
  std::cout << json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
}

int inspect(InspectCommand& command) {
  const Model model = load_model(command.model);
  std::optional<SessionInfo> plan;
  double operations = 0;
  ValueTypes types;
  std::optional<Error> failure;
  try {
    if (command.nodes) command.model.session.opt_level = 0;
    const Session session = make_session(model, command.model);
    plan = session.info();
    operations = flop(session);
    types = inferred_types(session);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::usage) throw;
    failure = error;
  }
  if (command.model.json) {
    print_json(command, model, plan, operations, types);
  } else {
    print_text(command, model, plan, operations, types);
  }
  std::fflush(stdout);
  if (failure) throw *failure;
  return kOk;
}

}  // namespace

Command add_inspect(CLI::App& root) {
  auto command = std::make_shared<InspectCommand>();
  CLI::App* app = root.add_subcommand("inspect", "Show inputs, outputs, operators and memory of a model");
  add_model_options(*app, command->model);
  app->add_flag("--nodes", command->nodes, "One line a node, with the types of its outputs where they are known");
  return {app, [command] { return inspect(*command); }};
}

}  // namespace onnxrun::cli
