#include "onnxrun/operators.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace onnxrun::cli {
namespace {

std::string read(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = popen(command.c_str(), "r");
  char block[4096];
  while (const size_t count = std::fread(block, 1, sizeof(block), pipe)) text.append(block, count);
  EXPECT_EQ(pclose(pipe), 0);
  return text;
}

// A row of tests/conformance/operators.tsv: what the standard's Operators.md and Changelog.md list.
struct Row {
  std::string domain;
  std::string name;
  std::vector<int64_t> versions;
  int64_t deprecated_since = 0;
};

std::vector<Row> standard_rows() {
  std::istringstream table(read(ONNXRUN_SOURCE_DIR "/tests/conformance/operators.tsv"));
  std::vector<Row> rows;
  std::string line;
  std::getline(table, line);
  while (std::getline(table, line)) {
    std::istringstream cells(line);
    Row row;
    std::string versions;
    std::getline(cells, row.domain, '\t');
    std::getline(cells, row.name, '\t');
    std::getline(cells, versions, '\t');
    cells >> row.deprecated_since;
    std::istringstream numbers(versions);
    for (std::string number; std::getline(numbers, number, ',');) row.versions.push_back(std::stoll(number));
    rows.push_back(std::move(row));
  }
  return rows;
}

TEST(Operators, EveryVersionOfTheStandardIsHere) {
  const std::vector<OperatorInfo> list = operator_list();
  const std::vector<Row> rows = standard_rows();
  EXPECT_EQ(list.size(), rows.size());
  for (const Row& row : rows) {
    const auto found = std::find_if(list.begin(), list.end(), [&](const OperatorInfo& info) {
      return info.domain == row.domain && info.name == row.name;
    });
    ASSERT_NE(found, list.end()) << row.domain << " " << row.name;
    EXPECT_EQ(found->deprecated_since, row.deprecated_since) << row.name;
    EXPECT_EQ(found->versions, row.versions) << row.name;
  }
}

TEST(Operators, ThePageIsWhatTheRegistrySays) {
  EXPECT_EQ(output_of(ONNXRUN_PROGRAM " operators --markdown"), read(ONNXRUN_SOURCE_DIR "/docs/operators.md"))
      << "run: onnxrun operators --markdown > docs/operators.md";
}

TEST(Operators, TheListIsAnOperatorALine) {
  const std::string text = output_of(ONNXRUN_PROGRAM " operators");
  EXPECT_EQ(static_cast<size_t>(std::count(text.begin(), text.end(), '\n')), standard_rows().size());
  EXPECT_NE(text.find("ai.onnx Relu  1, 6, 13, 14  X:T -> Y:T\n"), std::string::npos);
}

}  // namespace
}  // namespace onnxrun::cli
