#include "graph/standard_operators.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace onnxrun {
namespace {

// tests/conformance/operators.tsv: what the standard's Operators.md and Changelog.md list.
TEST(StandardOperators, AreThoseOfTheTable) {
  std::ifstream table(ONNXRUN_SOURCE_DIR "/tests/conformance/operators.tsv");
  ASSERT_TRUE(table);
  std::string line;
  std::getline(table, line);
  size_t rows = 0;
  for (; std::getline(table, line); ++rows) {
    std::istringstream cells(line);
    std::string domain;
    std::string name;
    int64_t first = 0;
    cells >> domain >> name >> first;
    const StandardOperator* found = find_standard_operator(domain == "ai.onnx" ? "" : domain, name);
    ASSERT_NE(found, nullptr) << name;
    EXPECT_EQ(found->first_version, first) << name;
  }
  EXPECT_EQ(standard_operators().size(), rows);
  EXPECT_EQ(find_standard_operator("", "NoSuchOperator"), nullptr);
}

}  // namespace
}  // namespace onnxrun
