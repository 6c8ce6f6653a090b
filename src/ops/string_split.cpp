// StringSplit: https://onnx.ai/onnx/operators/onnx__StringSplit.html, version 20. Without a delimiter, text splits at
// white space as Unicode defines it, none is left at either end, and of an empty text there are no parts; with one, an
// empty text is a single empty part. A negative maxsplit is no limit.
#include <algorithm>
#include <array>
#include <string_view>

#include "graph/attribute.h"
#include "graph/registry.h"

namespace onnxrun {
namespace {

// Bytes of the white space character that `text` begins with; 0 where it begins with another.
size_t leading_space(std::string_view text) {
  if (text.empty()) return 0;
  if (text[0] == ' ' || (text[0] >= '\t' && text[0] <= '\r')) return 1;
  // U+0085, U+00A0, U+1680, U+2000 to U+200A, U+2028, U+2029, U+202F, U+205F, U+3000.
  static constexpr std::string_view kWide[] = {
      "\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x81", "\xE2\x80\x82", "\xE2\x80\x83",
      "\xE2\x80\x84", "\xE2\x80\x85", "\xE2\x80\x86", "\xE2\x80\x87", "\xE2\x80\x88", "\xE2\x80\x89", "\xE2\x80\x8A",
      "\xE2\x80\xA8", "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F", "\xE3\x80\x80"};
  for (const std::string_view space : kWide) {
    if (text.starts_with(space)) return space.size();
  }
  return 0;
}

// Where the white space at the end of `text` begins.
size_t trimmed_size(std::string_view text) {
  size_t end = 0;
  for (size_t i = 0; i < text.size();) {
    const size_t space = leading_space(text.substr(i));
    i += std::max<size_t>(space, 1);
    if (space == 0) end = i;
  }
  return end;
}

std::vector<std::string_view> split_at_spaces(std::string_view text, int64_t limit) {
  std::vector<std::string_view> parts;
  text = text.substr(0, trimmed_size(text));
  while (true) {
    while (const size_t space = leading_space(text)) text.remove_prefix(space);
    if (text.empty()) return parts;
    if (static_cast<int64_t>(parts.size()) == limit) break;
    size_t end = 0;
    while (end < text.size() && leading_space(text.substr(end)) == 0) ++end;
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  parts.push_back(text);
  return parts;
}

std::vector<std::string_view> split_at(std::string_view text, const std::string& delimiter, int64_t limit) {
  std::vector<std::string_view> parts;
  for (size_t at = text.find(delimiter); at != std::string_view::npos && static_cast<int64_t>(parts.size()) != limit;
       at = text.find(delimiter)) {
    parts.push_back(text.substr(0, at));
    text.remove_prefix(at + delimiter.size());
  }
  parts.push_back(text);
  return parts;
}

class StringSplit : public Operator {
 public:
  explicit StringSplit(AttributeReader& attributes)
      : delimiter_(attributes.string("delimiter", "")), limit_(attributes.integer("maxsplit", -1)) {}

  OperatorTraits traits() const override { return {.data_dependent = true}; }

  void infer(InferContext& context) const override {
    DimShape shape = context.shape(0);
    context.set_output(1, DType::int64, shape);
    if (shape.has_rank()) {
      std::vector<Dim> dims = shape.dims();
      dims.push_back(Dim::unknown());
      shape = DimShape(std::move(dims));
    }
    context.set_output(0, DType::string, shape);
  }

  void run(RunContext& context) const override {
    const TensorView input = context.input(0);
    std::vector<std::vector<std::string_view>> all;
    size_t most = 0;
    for (const std::string& text : input.values<std::string>()) {
      all.push_back(delimiter_.empty() ? split_at_spaces(text, limit_) : split_at(text, delimiter_, limit_));
      most = std::max(most, all.back().size());
    }
    Shape shape = input.shape;
    shape.push_back(static_cast<int64_t>(most));
    auto* parts = context.output<std::string>(0, DType::string, shape);
    for (size_t i = 0; i < all.size(); ++i) std::copy(all[i].begin(), all[i].end(), parts + i * most);
    if (!context.wants(1)) return;
    auto* counts = context.output<int64_t>(1, DType::int64, input.shape);
    for (size_t i = 0; i < all.size(); ++i) counts[i] = static_cast<int64_t>(all[i].size());
  }

 private:
  std::string delimiter_;
  int64_t limit_;
};

}  // namespace

void register_string_split(OpRegistry& registry) {
  registry.add({.name = "StringSplit",
                .versions = {20},
                .signature = "X:T1 -> Y:T1, Z:T3",
                .types = {{.name = "T1", .tensors = {DType::string}}, {.name = "T3", .tensors = {DType::int64}}},
                .create = make_operator<StringSplit>});
}

}  // namespace onnxrun
