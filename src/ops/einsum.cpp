// Einsum: https://onnx.ai/onnx/operators/onnx__Einsum.html, version 12. As in numpy, an extent of 1 is repeated where
// other axes of its name are longer; what an explicit output leaves out is summed, also an ellipsis.
#include <algorithm>
#include <cctype>
#include <optional>

#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/contraction.h"

namespace onnxrun {
namespace {

constexpr char kEllipsis = '.';

[[noreturn]] void refuse(const std::string& why) { throw Error(ErrorCode::invalid_model, why); }

// One term of the equation: letters, and kEllipsis for "...".
std::string parse_term(const std::string& text, const std::string& equation) {
  std::string term;
  for (size_t i = 0; i < text.size(); ++i) {
    if (std::isalpha(static_cast<unsigned char>(text[i]))) {
      term += text[i];
    } else if (text.compare(i, 3, "...") == 0 && term.find(kEllipsis) == std::string::npos) {
      term += kEllipsis;
      i += 2;
    } else {
      refuse("the equation '" + equation + "' is malformed at '" + text.substr(i) + "'");
    }
  }
  return term;
}

class Einsum : public Operator {
 public:
  explicit Einsum(AttributeReader& attributes) {
    const std::string equation = attributes.string("equation", "");
    if (equation.empty()) refuse("attribute 'equation' is missing");
    std::string text = equation;
    text.erase(std::remove(text.begin(), text.end(), ' '), text.end());
    const size_t arrow = text.find("->");
    const std::string left = text.substr(0, arrow);
    for (size_t begin = 0; begin <= left.size();) {
      const size_t end = std::min(left.find(',', begin), left.size());
      terms_.push_back(parse_term(left.substr(begin, end - begin), equation));
      begin = end + 1;
    }
    output_ = arrow == std::string::npos ? implicit_output() : parse_term(text.substr(arrow + 2), equation);
    for (size_t i = 0; i < output_.size(); ++i) {
      if (output_.find(output_[i]) != i) refuse("the equation '" + equation + "' repeats an index of the output");
      const auto has = [&](const std::string& term) { return term.find(output_[i]) != std::string::npos; };
      if (output_[i] != kEllipsis && std::none_of(terms_.begin(), terms_.end(), has)) {
        refuse("the equation '" + equation + "' has an index in the output that no input has");
      }
    }
  }

  void infer(InferContext& context) const override {
    if (context.input_count() != terms_.size()) {
      context.fail("the equation has " + std::to_string(terms_.size()) + " terms, the node " +
                   std::to_string(context.input_count()) + " inputs");
    }
    std::vector<DimShape> shapes;
    for (size_t i = 0; i < terms_.size(); ++i) {
      if (!context.shape(i).has_rank()) return;
      shapes.push_back(context.shape(i));
    }
    const Names names = resolve(shapes);
    std::vector<Dim> extents;
    for (const size_t name : names.output) extents.push_back(names.extents[name]);
    context.set_shape(0, std::move(extents));
  }

  void plan(PlanContext& context) const override {
    std::vector<DimShape> shapes;
    for (size_t i = 0; i < terms_.size(); ++i) shapes.emplace_back(context.input(i).shape);
    const Names names = resolve(shapes);
    ops::Contraction contraction{names.inputs, names.output, {}};
    for (const Dim& extent : names.extents) contraction.extents.push_back(extent.is_number() ? extent.number() : 1);
    ops::plan_contraction(context, contraction);
  }

 private:
  // A name for each axis: letters by their code, axes of the ellipsis behind them, counted from its end.
  struct Names {
    std::vector<std::vector<size_t>> inputs;
    std::vector<size_t> output;
    std::vector<Dim> extents;
  };
  static constexpr size_t kLetters = 128;

  // The ellipsis, then what is there once, in the order of the codes.
  std::string implicit_output() const {
    std::string all;
    for (const std::string& term : terms_) all += term;
    std::sort(all.begin(), all.end());
    std::string output;
    for (const char letter : all) {
      const auto count = std::count(all.begin(), all.end(), letter);
      if (letter == kEllipsis ? output.empty() : count == 1) output += letter;
    }
    return output;
  }

  static std::vector<size_t> expand(const std::string& term, size_t ellipsis) {
    std::vector<size_t> names;
    for (const char letter : term) {
      if (letter != kEllipsis) names.push_back(static_cast<size_t>(letter));
      for (size_t k = ellipsis; letter == kEllipsis && k > 0; --k) names.push_back(kLetters + k - 1);
    }
    return names;
  }

  Names resolve(const std::vector<DimShape>& shapes) const {
    Names names;
    std::optional<size_t> ellipsis;
    for (size_t i = 0; i < terms_.size(); ++i) {
      const std::string& term = terms_[i];
      const bool has_ellipsis = term.find(kEllipsis) != std::string::npos;
      const size_t letters = term.size() - (has_ellipsis ? 1 : 0);
      if (shapes[i].rank() < letters || (!has_ellipsis && shapes[i].rank() != letters)) {
        refuse("term '" + term + "' does not fit input " + std::to_string(i) + " of shape " + shapes[i].to_string());
      }
      if (has_ellipsis && ellipsis.value_or(shapes[i].rank() - letters) != shapes[i].rank() - letters) {
        refuse("the ellipses stand for different numbers of axes");
      }
      if (has_ellipsis) ellipsis = shapes[i].rank() - letters;
      names.inputs.push_back(expand(term, shapes[i].rank() - letters));
    }
    names.output = expand(output_, ellipsis.value_or(0));
    names.extents.resize(kLetters + ellipsis.value_or(0), Dim(1));
    for (size_t i = 0; i < shapes.size(); ++i) {
      for (size_t axis = 0; axis < shapes[i].rank(); ++axis) {
        join(names.extents[names.inputs[i][axis]], shapes[i][axis], i);
      }
    }
    return names;
  }

  // The extent of a name, given one more axis of it.
  static void join(Dim& extent, const Dim& other, size_t input) {
    if (other.is(1) || extent == other) return;
    if (extent.is(1) || (other.is_number() && !extent.is_number())) {
      extent = other;
    } else if (!extent.is_number()) {
      extent = Dim::unknown();
    } else if (other.is_number()) {
      refuse("input " + std::to_string(input) + " has extent " + other.to_string() + " where another has " +
             extent.to_string());
    }
  }

  std::vector<std::string> terms_;
  std::string output_;
};

}  // namespace

void register_einsum(OpRegistry& registry) {
  registry.add({.name = "Einsum",
                .versions = {12},
                .signature = "Inputs:T... -> Output:T",
                .types = {{.name = "T", .tensors = kIntegers | kIeeeFloats}},
                .create = make_operator<Einsum>});
}

}  // namespace onnxrun
