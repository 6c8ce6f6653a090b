#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "graph/standard_operators.h"
#include "onnxrun/operators.h"
#include "runtime/operators.h"

namespace onnxrun {
namespace {

std::vector<DType> members(DTypeSet set) {
  std::vector<DType> dtypes;
  for (int i = 1; i < kDTypeCount; ++i) {
    if (set.contains(static_cast<DType>(i))) dtypes.push_back(static_cast<DType>(i));
  }
  return dtypes;
}

std::string formals_text(const std::vector<Formal>& formals) {
  std::string text;
  for (const Formal& formal : formals) {
    text += (text.empty() ? "" : ", ") + formal.name + ":" + formal.type;
    text += formal.heterogeneous ? "*..." : formal.variadic ? "..." : "";
    text += formal.optional ? "?" : "";
  }
  return text;
}

bool uses(const std::vector<Formal>& formals, const std::string& type) {
  return std::any_of(formals.begin(), formals.end(), [&](const Formal& formal) { return formal.type == type; });
}

// Nodes of Gradient are replaced before operators are looked up: see expand_gradients.
OperatorInfo gradient() {
  return {"ai.onnx.preview.training",
          "Gradient",
          {1},
          0,
          "Inputs:T1*... -> Outputs:T2*...",
          {{"T1", members(kClassicTypes), {}, {}, false}, {"T2", members(kIeeeFloats), {}, {}, false}}};
}

}  // namespace

std::vector<OperatorInfo> operator_list() {
  std::vector<OperatorInfo> list;
  for (const OperatorEntry* entry : operators().entries()) {
    const StandardOperator* standard = find_standard_operator(entry->domain, entry->name);
    if (!standard) continue;
    const std::string domain = entry->domain.empty() ? "ai.onnx" : entry->domain;
    if (list.empty() || list.back().domain != domain || list.back().name != entry->name) {
      list.push_back({domain, entry->name, {}, standard->deprecated_since, {}, {}});
    }
    OperatorInfo& info = list.back();
    info.versions.push_back(entry->since);
    info.signature =
        (entry->inputs.empty() ? "" : formals_text(entry->inputs) + " ") + "-> " + formals_text(entry->outputs);
    info.types.clear();
    for (const TypeConstraint& type : entry->types) {
      if (!uses(entry->inputs, type.name) && !uses(entry->outputs, type.name)) continue;
      info.types.push_back(
          {type.name, members(type.tensors), members(type.sequences), members(type.optionals), type.any});
    }
  }
  list.push_back(gradient());
  std::sort(list.begin(), list.end(), [](const OperatorInfo& a, const OperatorInfo& b) {
    return std::tie(a.domain, a.name) < std::tie(b.domain, b.name);
  });
  return list;
}

}  // namespace onnxrun
