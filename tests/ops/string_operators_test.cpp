#include <gtest/gtest.h>

#include "media/regex.h"
#include "media/text_case.h"
#include "support/op_tester.h"

namespace onnxrun {
namespace {

using Strings = std::vector<std::string>;

TEST(StringConcat, Broadcasts) {
  expect_op({.op = "StringConcat",
             .inputs = {strings({2, 1}, {"a", ""}), strings({3}, {"x", "é", ""})},
             .outputs = {strings({2, 3}, {"ax", "aé", "a", "x", "é", ""})}});
  expect_op(
      {.op = "StringConcat", .inputs = {strings({}, {"a"}), strings({}, {"b"})}, .outputs = {strings({}, {"ab"})}});
  expect_op(
      {.op = "StringConcat", .inputs = {strings({0, 2}, {}), strings({1}, {"b"})}, .outputs = {strings({0, 2}, {})}});
  expect_op_error({.op = "StringConcat",
                   .inputs = {strings({2}, {"a", "b"}), strings({3}, {"a", "b", "c"})},
                   .outputs = {strings({3}, {"", "", ""})}},
                  ErrorCode::invalid_model, "broadcast");
}

OpCase split(const Tensor& input, const Tensor& parts, const Tensor& counts,
             const ModelBuilder::Attributes& attributes) {
  return {.op = "StringSplit", .inputs = {input}, .outputs = {parts, counts}, .attributes = attributes};
}

TEST(StringSplit, SplitsAtDelimiters) {
  const auto by = [](const std::string& delimiter) { return ModelBuilder::Attributes{{"delimiter", delimiter}}; };
  expect_op(split(strings({4}, {"a,b,", "", ",,", "c"}),
                  strings({4, 3}, {"a", "b", "", "", "", "", "", "", "", "c", "", ""}), integers({4}, {3, 1, 3, 1}),
                  by(",")));
  expect_op(split(strings({1, 1}, {"aaa"}), strings({1, 1, 2}, {"", "a"}), integers({1, 1}, {2}), by("aa")));
  expect_op(split(strings({}, {"x--y"}), strings({2}, {"x", "y"}), integers({}, {2}), by("--")));
  expect_op(split(strings({2}, {"a,b,c", "d"}), strings({2, 2}, {"a", "b,c", "d", ""}), integers({2}, {2, 1}),
                  {{"delimiter", std::string(",")}, {"maxsplit", int64_t{1}}}));
  expect_op(split(strings({1}, {"a,b"}), strings({1, 1}, {"a,b"}), integers({1}, {1}),
                  {{"delimiter", std::string(",")}, {"maxsplit", int64_t{0}}}));
}

TEST(StringSplit, SplitsAtWhiteSpace) {
  expect_op(split(strings({2}, {"  a \t b\n", " "}), strings({2, 2}, {"a", "b", "", ""}), integers({2}, {2, 0}), {}));
  expect_op(split(strings({1}, {"a\u3000b\u00a0\u2003c\u0085"}), strings({1, 3}, {"a", "b", "c"}), integers({1}, {3}),
                  {{"delimiter", std::string()}}));
  expect_op(split(strings({1}, {" a  b  c "}), strings({1, 2}, {"a", "b  c"}), integers({1}, {2}),
                  {{"maxsplit", int64_t{1}}}));
  expect_op(split(strings({1}, {" a b "}), strings({1, 1}, {"a b"}), integers({1}, {1}), {{"maxsplit", int64_t{0}}}));
  expect_op(split(strings({2}, {"", " "}), strings({2, 0}, {}), integers({2}, {0, 0}), {}));
  expect_op(split(strings({0}, {}), strings({0, 0}, {}), integers({0}, {}), {}));
}

// The case, or its refusal by a build that is without the library.
void expect_with(bool is_available, const std::string& library, const OpCase& test) {
  if (is_available) {
    expect_op(test);
  } else {
    expect_op_error(test, ErrorCode::unsupported_operator, "it is without " + library);
  }
}

OpCase match(const std::string& pattern, const Tensor& input, const std::vector<double>& expected) {
  return {.op = "RegexFullMatch",
          .inputs = {input},
          .outputs = {numbers(DType::boolean, input.shape(), expected)},
          .attributes = {{"pattern", pattern}}};
}

void expect_match(const OpCase& test) { expect_with(Regex::is_available(), "RE2", test); }

TEST(RegexFullMatch, MatchesWholeTexts) {
  expect_match(match(R"(www\.[\w.-]+\.\bcom\b)",
                     strings({2, 2}, {"www.google.com", "www.bbc.co.uk", "www.a.com", "xwww.a.com"}), {1, 0, 1, 0}));
  expect_match(match("a.c", strings({3}, {"a\u00e9c", "ac", "abc "}), {1, 0, 0}));
  expect_match(match("(?i)x*", strings({}, {"XxX"}), {1}));
  expect_match(match("", strings({2}, {"", "a"}), {1, 0}));
  expect_match(match("a", strings({0}, {}), {}));
  if (!Regex::is_available()) return;
  expect_op_error(match("a(", strings({1}, {"a"}), {1}), ErrorCode::invalid_model, "'a(' is no regular expression");
  expect_op_error(match(R"((a)\1)", strings({1}, {"aa"}), {1}), ErrorCode::invalid_model, "no regular expression");
}

OpCase normalize(const Tensor& input, const Tensor& output, const ModelBuilder::Attributes& attributes) {
  return {.op = "StringNormalizer", .inputs = {input}, .outputs = {output}, .attributes = attributes};
}

void expect_case(const OpCase& test) { expect_with(CaseMapper::is_available(), "ICU", test); }

TEST(StringNormalizer, ChangesCase) {
  const Tensor words = strings({4}, {"Straße", "ÇAY", "ab", "ὈΔΥΣΣΕΎΣ"});
  expect_case(normalize(words, strings({4}, {"STRASSE", "ÇAY", "AB", "ὈΔΥΣΣΕΎΣ"}),
                        {{"case_change_action", std::string("UPPER")}}));
  expect_case(normalize(words, strings({4}, {"straße", "çay", "ab", "ὀδυσσεύς"}),
                        {{"case_change_action", std::string("LOWER")}}));
  expect_case(normalize(strings({1, 2}, {"Kim", "ILGIN"}), strings({1, 2}, {"KİM", "ILGIN"}),
                        {{"case_change_action", std::string("UPPER")}, {"locale", std::string("tr_TR.UTF-8")}}));
  expect_op(normalize(words, words, {}));
}

TEST(StringNormalizer, DropsStopWords) {
  const Tensor words = strings({1, 4}, {"Monday", "monday", "STRASSE", "x"});
  const Strings stop = {"monday", "straße"};
  expect_case(normalize(words, strings({1, 1}, {"x"}), {{"stopwords", stop}}));
  expect_case(normalize(
      words, strings({1, 3}, {"MONDAY", "STRASSE", "X"}),
      {{"stopwords", stop}, {"is_case_sensitive", int64_t{1}}, {"case_change_action", std::string("UPPER")}}));
  expect_case(normalize(strings({2}, {"A", "a"}), strings({1}, {""}), {{"stopwords", Strings{"a"}}}));
  expect_case(normalize(strings({1, 1}, {"a"}), strings({1, 1}, {""}), {{"stopwords", Strings{"a"}}}));
  expect_op(normalize(strings({0}, {}), strings({1}, {""}), {}));
}

TEST(StringNormalizer, RefusesOtherShapes) {
  expect_op_error(normalize(strings({2, 1}, {"a", "b"}), strings({2, 1}, {"a", "b"}), {}), ErrorCode::invalid_model,
                  "[C] or [1, C]");
}

}  // namespace
}  // namespace onnxrun
