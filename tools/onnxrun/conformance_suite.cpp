#include "conformance_suite.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "onnxrun/error.h"
#include "quantity.h"

namespace onnxrun::cli {
namespace {

namespace fs = std::filesystem;

using Tolerances = std::map<std::pair<std::string, std::string>, Tolerance>;  // by suite and name

std::vector<std::string> split_tabs(const std::string& line) {
  std::vector<std::string> fields;
  std::istringstream stream(line);
  for (std::string field; std::getline(stream, field, '\t');) fields.push_back(field);
  return fields;
}

Tolerances read_index(const fs::path& path) {
  Tolerances tolerances;
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return tolerances;
  const std::vector<std::string> columns = split_tabs(line);
  const auto column = [&](const std::string& name) {
    const auto found = std::find(columns.begin(), columns.end(), name);
    if (found == columns.end()) throw Error(ErrorCode::usage, "'" + path.string() + "' has no column '" + name + "'");
    return static_cast<size_t>(found - columns.begin());
  };
  const size_t suite = column("suite"), name = column("name"), rtol = column("rtol"), atol = column("atol");
  while (std::getline(file, line)) {
    const std::vector<std::string> fields = split_tabs(line);
    if (fields.size() <= std::max({suite, name, rtol, atol})) continue;
    tolerances[{fields[suite], fields[name]}] = {parse_number(fields[rtol]), parse_number(fields[atol])};
  }
  return tolerances;
}

Tolerance from_data_json(const fs::path& path, Tolerance tolerance) {
  std::ifstream file(path);
  if (!file) return tolerance;
  const auto json = nlohmann::json::parse(file, nullptr, false);
  if (!json.is_object()) return tolerance;
  return {json.value("rtol", tolerance.rtol), json.value("atol", tolerance.atol)};
}

bool is_test(const fs::path& folder) { return fs::exists(folder / "model.onnx"); }

std::vector<fs::path> subfolders(const fs::path& folder) {
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory()) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

void add_suite(const fs::path& suite, std::vector<ConformanceTest>& tests) {
  for (const fs::path& folder : subfolders(suite)) {
    if (is_test(folder)) tests.push_back({suite.filename(), folder.filename(), folder, {}});
  }
}

}  // namespace

std::vector<ConformanceTest> find_tests(const fs::path& folder, const Tolerance& tolerance) {
  std::error_code error;
  fs::path root = fs::canonical(folder, error);
  if (error || !fs::is_directory(root)) throw Error(ErrorCode::usage, "'" + folder.string() + "' is not a folder");
  std::vector<ConformanceTest> tests;
  if (is_test(root)) {
    tests.push_back({root.parent_path().filename(), root.filename(), root, {}});
    root = root.parent_path().parent_path();
  } else {
    add_suite(root, tests);
    if (!tests.empty()) {
      root = root.parent_path();
    } else {
      for (const fs::path& suite : subfolders(root)) add_suite(suite, tests);
    }
  }
  if (tests.empty()) throw Error(ErrorCode::usage, "'" + folder.string() + "' holds no test: no TEST/model.onnx");
  const Tolerances tolerances = read_index(root / "index.tsv");
  for (ConformanceTest& test : tests) {
    const auto found = tolerances.find({test.suite, test.name});
    test.tolerance = found != tolerances.end() ? found->second : from_data_json(test.folder / "data.json", tolerance);
  }
  return tests;
}

}  // namespace onnxrun::cli
