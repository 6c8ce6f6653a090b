#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "onnxrun/value.h"

namespace onnxrun {

struct ValueInfo {
  std::string name;
  ValueType type;
};

// A node as the model has it.
struct NodeInfo {
  std::string name;  // may be empty
  std::string domain;
  std::string op_type;
  int64_t since_version = 0;  // of the operator version in force; 0 where there is none
  std::string path;           // where it stands: "" for the main graph, "node 'if_1' then_branch", ...
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
};

// One thing that is wrong with a model, or not supported.
struct ModelProblem {
  bool unsupported = false;  // otherwise invalid
  std::string message;       // names the node
  // The operator and the imported version of its domain, where the problem is one of a node.
  std::string domain;
  std::string op_type;
  int64_t opset = 0;
};

struct OpsetImport {
  std::string domain;  // "" is ai.onnx
  int64_t version = 0;
};

enum class Precision : uint8_t {
  standard,  // float32 quality: fast algorithms whose error against float64 is bounded and tested
  strict,    // each dot product is one chain of fused multiply-adds in ascending order; every operator rounds its
             // 16-bit floats; quantized models compute with the floats that they describe
};

struct PassReport {
  std::string name;
  double milliseconds = 0;
  int changes = 0;
  bool enabled = true;
};

}  // namespace onnxrun
