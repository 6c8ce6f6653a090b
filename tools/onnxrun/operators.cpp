#include "onnxrun/operators.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "command.h"

namespace onnxrun::cli {
namespace {

struct OperatorsCommand {
  bool markdown = false;
  bool json = false;
};

struct TypeGroup {
  const char* name;
  std::vector<DType> members;
};

// Names for what stands together in most signatures, larger ones first.
const std::vector<TypeGroup>& type_groups() {
  using enum DType;
  static const std::vector<TypeGroup> kGroups = {
      {"numbers", {uint8, int8, uint16, int16, int32, int64, uint32, uint64, float16, float32, float64, bfloat16}},
      {"integers", {uint8, int8, uint16, int16, int32, int64, uint32, uint64}},
      {"floats", {float16, float32, float64, bfloat16}},
      {"complex", {complex64, complex128}},
      {"float8", {float8e4m3fn, float8e4m3fnuz, float8e5m2, float8e5m2fnuz}},
      {"narrow", {uint4, int4, uint2, int2}},
  };
  return kGroups;
}

std::string join(const std::vector<std::string>& parts, const char* separator) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : separator) + part;
  return text;
}

std::string versions_text(const OperatorInfo& info) {
  std::vector<std::string> numbers;
  for (const int64_t version : info.versions) numbers.push_back(std::to_string(version));
  return join(numbers, ", ");
}

std::string type_names(std::vector<DType> dtypes) {
  if (dtypes.size() + 1 == kDTypeCount) return "all";
  std::vector<std::string> names;
  const auto take = [&](DType dtype) { return std::find(dtypes.begin(), dtypes.end(), dtype); };
  for (const TypeGroup& group : type_groups()) {
    const bool whole = std::all_of(group.members.begin(), group.members.end(),
                                   [&](DType dtype) { return take(dtype) != dtypes.end(); });
    if (!whole) continue;
    names.emplace_back(group.name);
    for (const DType dtype : group.members) dtypes.erase(take(dtype));
  }
  for (const DType dtype : dtypes) names.emplace_back(dtype_name(dtype));
  return join(names, " ");
}

std::string variable_text(const TypeVariableInfo& variable) {
  if (variable.any) return variable.name + ": any value";
  std::vector<std::string> kinds;
  if (!variable.tensors.empty()) kinds.push_back(type_names(variable.tensors));
  if (!variable.sequences.empty()) kinds.push_back("sequence of " + type_names(variable.sequences));
  if (!variable.optionals.empty()) kinds.push_back("optional " + type_names(variable.optionals));
  return variable.name + ": " + join(kinds, ", ");
}

std::string types_text(const OperatorInfo& info) {
  std::vector<std::string> texts;
  for (const TypeVariableInfo& variable : info.types) texts.push_back(variable_text(variable));
  return join(texts, "; ");
}

void print_markdown(const std::vector<OperatorInfo>& list) {
  std::map<std::string, int> counts;
  for (const OperatorInfo& info : list) ++counts[info.domain];
  std::cout
      << "# Operators\n\n"
         "`onnxrun operators --markdown` writes this page: every operator of the ONNX standard, each in all of\n"
         "its versions. Signature and types are those of the newest: `?` optional, `...` variadic, `*...`\n"
         "variadic of unequal types. Where the standard is silent, [semantics.md](semantics.md) says what happens.\n\n"
         "| types | stand for |\n|---|---|\n";
  for (const TypeGroup& group : type_groups()) {
    std::vector<std::string> names;
    for (const DType dtype : group.members) names.emplace_back(dtype_name(dtype));
    std::cout << "| " << group.name << " | " << join(names, " ") << " |\n";
  }
  std::string domain;
  for (const OperatorInfo& info : list) {
    if (info.domain != domain) {
      domain = info.domain;
      std::cout << "\n## " << domain << ", " << counts[domain] << (counts[domain] == 1 ? " operator" : " operators")
                << "\n\n| operator | versions | signature | types |\n|---|---|---|---|\n";
    }
    std::cout << "| " << info.name << " | " << versions_text(info);
    if (info.deprecated_since) std::cout << "; deprecated since " << info.deprecated_since;
    std::cout << " | `" << info.signature << "` | " << types_text(info) << " |\n";
  }
}

nlohmann::ordered_json names_json(const std::vector<DType>& dtypes) {
  nlohmann::ordered_json names = nlohmann::ordered_json::array();
  for (const DType dtype : dtypes) names.push_back(std::string(dtype_name(dtype)));
  return names;
}

void print_json(const std::vector<OperatorInfo>& list) {
  nlohmann::ordered_json items = nlohmann::ordered_json::array();
  for (const OperatorInfo& info : list) {
    nlohmann::ordered_json types = nlohmann::ordered_json::object();
    for (const TypeVariableInfo& variable : info.types) {
      types[variable.name] = {{"tensors", names_json(variable.tensors)},
                              {"sequences", names_json(variable.sequences)},
                              {"optionals", names_json(variable.optionals)},
                              {"any", variable.any}};
    }
    items.push_back({{"domain", info.domain},
                     {"name", info.name},
                     {"versions", info.versions},
                     {"deprecated_since", info.deprecated_since},
                     {"signature", info.signature},
                     {"types", std::move(types)}});
  }
  std::cout << nlohmann::ordered_json{{"schema", 1}, {"operators", std::move(items)}}.dump(2) << '\n';
}

void print_text(const std::vector<OperatorInfo>& list) {
  for (const OperatorInfo& info : list) {
    std::cout << info.domain << ' ' << info.name << "  " << versions_text(info) << "  " << info.signature << '\n';
  }
}

int operators(const OperatorsCommand& command) {
  const std::vector<OperatorInfo> list = operator_list();
  if (command.json) {
    print_json(list);
  } else if (command.markdown) {
    print_markdown(list);
  } else {
    print_text(list);
  }
  return kOk;
}

}  // namespace

Command add_operators(CLI::App& root) {
  auto command = std::make_shared<OperatorsCommand>();
  CLI::App* app = root.add_subcommand("operators", "List the operators that this build has, one a line");
  auto* markdown = app->add_flag("--markdown", command->markdown, "As the page docs/operators.md");
  app->add_flag("--json", command->json, "As JSON")->excludes(markdown);
  return {app, [command] { return operators(*command); }};
}

}  // namespace onnxrun::cli
