#include "graph/passes/pass.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>

#include "graph/inference.h"
#include "onnxrun/error.h"

namespace onnxrun {
namespace {

// In the order in which they run.
constexpr Pass kPasses[] = {
    {"remove_dead_nodes", 1, remove_dead_nodes},
    {"widen_floats", 2, widen_floats},
    {"fold_constants", 1, fold_constants},
    {"fuse_quantized_operators", 2, fuse_quantized_operators},
    {"fold_dequantized", 1, fold_dequantized},
    {"inline_constant_if", 1, inline_constant_if},
    {"remove_no_ops", 1, remove_no_ops},
    {"fuse_quantization", 2, fuse_quantization},
    {"fuse_pad", 2, fuse_pad},
    {"fuse_batch_normalization", 2, fuse_batch_normalization},
    {"fuse_activation_patterns", 2, fuse_activation_patterns},
    {"fuse_layer_normalization", 2, fuse_layer_normalization},
    {"fuse_attention", 2, fuse_attention},
    {"fuse_matmul_bias", 2, fuse_matmul_bias},
    {"merge_projections", 2, merge_projections},
    {"split_conv_transpose", 2, split_conv_transpose},
    {"fuse_activation", 2, fuse_activation},
    {"block_channels", 2, block_channels},
    {"remove_leftovers", 1, remove_dead_nodes},
};

int run_nested(Graph& graph, const Pass& pass, const PassContext& context) {
  int changes = 0;
  for (const NodeId id : graph.order()) {
    for (const auto& subgraph : Graph::subgraphs(graph.node(id))) changes += run_nested(*subgraph, pass, context);
  }
  const int own = pass.run(graph, context);
  if (own > 0) {
    std::vector<ModelProblem> problems;
    bind_operators(context.registry, graph, problems);
    if (!problems.empty()) throw std::logic_error("pass " + std::string(pass.name) + ": " + problems.front().message);
    graph.sort();
  }
  return changes + own;
}

}  // namespace

std::vector<PassReport> run_passes(Graph& graph, const PassContext& context, const PassSettings& settings,
                                   std::vector<std::string>& warnings) {
  for (const std::string& name : settings.disabled) {
    const bool known =
        std::any_of(std::begin(kPasses), std::end(kPasses), [&](const Pass& pass) { return pass.name == name; });
    if (!known) throw Error(ErrorCode::usage, "there is no pass '" + name + "'");
  }
  std::vector<PassReport> reports;
  for (const Pass& pass : kPasses) {
    PassReport report{std::string(pass.name), 0, 0, false};
    report.enabled = settings.level >= pass.level && std::find(settings.disabled.begin(), settings.disabled.end(),
                                                               pass.name) == settings.disabled.end();
    if (report.enabled) {
      const auto begin = std::chrono::steady_clock::now();
      report.changes = run_nested(graph, pass, context);
      if (report.changes > 0) infer_graph(graph, settings.dims, warnings);
      if (settings.verify) graph.verify();
      report.milliseconds = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
    }
    reports.push_back(std::move(report));
  }
  return reports;
}

}  // namespace onnxrun
