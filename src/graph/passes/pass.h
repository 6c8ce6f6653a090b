#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"
#include "graph/registry.h"

namespace onnxrun {

// What passes work with.
struct PassContext {
  const OpRegistry& registry;
  // Runs a node whose inputs are all constants; the outputs in order, kind none for those that are not wanted.
  std::function<std::vector<Value>(const Graph&, const Node&)> evaluate;
  // Channels side by side in channel-blocked maps; 0: there are none.
  int64_t channel_block = 0;
  // Whether results of 16-bit float operators may be more exact than these types are.
  bool widen_floats = false;
  // Whether there are kernels for convolutions of bytes that are blocked so, and sums of products that are more exact
  // than float32's are welcome.
  bool fuse_quantized = false;
};

// A named change of a graph that keeps what it computes. Runs on the main graph and on each subgraph.
struct Pass {
  std::string_view name;
  int level;  // the lowest opt_level that runs it
  // Returns how many changes it made. New nodes are bound and types inferred again afterwards.
  int (*run)(Graph& graph, const PassContext& context);
};

int remove_dead_nodes(Graph& graph, const PassContext& context);
int widen_floats(Graph& graph, const PassContext& context);
int fold_constants(Graph& graph, const PassContext& context);
int fold_dequantized(Graph& graph, const PassContext& context);
int inline_constant_if(Graph& graph, const PassContext& context);
int remove_no_ops(Graph& graph, const PassContext& context);
int fuse_batch_normalization(Graph& graph, const PassContext& context);
int fuse_activation_patterns(Graph& graph, const PassContext& context);
int fuse_layer_normalization(Graph& graph, const PassContext& context);
int fuse_attention(Graph& graph, const PassContext& context);
int fuse_matmul_bias(Graph& graph, const PassContext& context);
int fuse_quantization(Graph& graph, const PassContext& context);
int fuse_quantized_operators(Graph& graph, const PassContext& context);
int fuse_pad(Graph& graph, const PassContext& context);
int merge_projections(Graph& graph, const PassContext& context);
int split_conv_transpose(Graph& graph, const PassContext& context);
int fuse_activation(Graph& graph, const PassContext& context);
int block_channels(Graph& graph, const PassContext& context);

struct PassSettings {
  int level = 2;
  std::vector<std::string> disabled;
  bool verify = false;
  std::map<std::string, int64_t> dims;
};

// Runs the passes of the level; each is timed, and its result bound, sorted and inferred again, and checked with
// `verify`. \throws Error(usage) for an unknown name in `disabled`.
std::vector<PassReport> run_passes(Graph& graph, const PassContext& context, const PassSettings& settings,
                                   std::vector<std::string>& warnings);

}  // namespace onnxrun
