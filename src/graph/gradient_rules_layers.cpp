// Rules of the operators of neural networks that are more than elementwise: convolutions, pools, normalizations, Pad,
// Einsum and what moves along an axis.
#include <algorithm>
#include <array>
#include <cctype>

#include "graph/gradient_rules.h"
#include "graph/passes/pattern.h"
#include "onnxrun/error.h"

namespace onnxrun {
namespace {

constexpr int64_t kPoolWithIndices = 12;
constexpr int64_t kDouble = 11;

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::unsupported_operator, message); }

// The sum over all axes but the channels.
ValueId sum_to_channels(GradientBuilder& b, ValueId value) {
  return b.add("Einsum", {value}, {{"equation", std::string("nc...->c")}});
}

void conv_rule(GradientCall& c) {
  const auto gradient = [&](ValueId first, ValueId second, int64_t operand) {
    std::vector<Attribute> attributes = c.node.attributes;
    attributes.push_back({"operand", operand});
    return c.build.add("onnxrun.ConvGradient", {first, second, c.x(static_cast<size_t>(operand))}, attributes);
  };
  if (c.wants(0)) c.give(0, gradient(c.g(), c.x(1), 0));
  if (c.wants(1)) c.give(1, gradient(c.x(0), c.g(), 1));
  if (c.wants(2)) c.give(2, sum_to_channels(c.build, c.g()));
}

void average_pool_rule(GradientCall& c) {
  c.give(0, c.build.add("onnxrun.AveragePoolGradient", {c.g(), c.x()}, c.node.attributes));
}

// Each output's gradient belongs to the element that its index names.
void max_pool_rule(GradientCall& c) {
  Node pool = c.node;
  pool.opset = std::max(pool.opset, kPoolWithIndices);
  pool.outputs.assign(2, 0);
  const ValueId indices = c.build.copy(std::move(pool), {c.x()}, {{"storage_order", int64_t{0}}})[1];
  c.give(0, c.build.scatter(c.g(), indices, c.x()));
}

void global_average_pool_rule(GradientCall& c) {
  auto& b = c.build;
  const auto size = [&](ValueId value) { return b.add("Cast", {b.add("Size", {value})}, {{"to", kDouble}}); };
  const ValueId share = b.add("CastLike", {b.add("Div", {size(c.y()), size(c.x())}), c.x()});
  c.give(0, b.add("Mul", {b.add("Expand", {c.g(), b.add("Shape", {c.x()})}), share}));
}

// Equal largest elements share the gradient. `y` and `g` are broadcast to the input.
void share_among_equals(GradientCall& c, ValueId g, ValueId y) {
  auto& b = c.build;
  const ValueId is_equal = b.add("CastLike", {b.add("Equal", {c.x(), y}), c.x()});
  c.give(0, b.add("Mul", {is_equal, b.add("Div", {g, b.sum_to(is_equal, y)})}));
}
void global_max_pool_rule(GradientCall& c) { share_among_equals(c, c.g(), c.y()); }
void reduce_extremum_rule(GradientCall& c) {
  const bool keeps = integer_attribute(c.node, "keepdims", 1) != 0;
  const ValueId kept = keeps ? c.y() : c.build.copy(c.node, c.node.inputs, {{"keepdims", int64_t{1}}})[0];
  share_among_equals(c, keeps ? c.g() : c.build.reshape_like(c.g(), kept), kept);
}

// y = (x - mean) / sqrt(variance + epsilon) * scale + bias with given mean and variance, channel by channel.
void batch_normalization_rule(GradientCall& c) {
  auto& b = c.build;
  const bool trains = c.node.opset < 7    ? integer_attribute(c.node, "is_test", 0) == 0
                      : c.node.opset < 14 ? c.node.outputs.size() > 1
                                          : integer_attribute(c.node, "training_mode", 0) != 0;
  if (trains) refuse("the gradient of BatchNormalization in training is not supported");
  if (c.node.opset < 9 && integer_attribute(c.node, "spatial", 1) == 0)
    refuse("the gradient of BatchNormalization with spatial = 0 is not supported");
  const float epsilon = number_attribute(c.node, "epsilon", 1e-5F);
  const auto like_x = [&](size_t i) { return b.add("CastLike", {c.x(i), c.x()}); };
  const ValueId scale = like_x(1);
  const ValueId variance = like_x(4);
  const ValueId zero = b.fill_like(scale, 0);
  const ValueId one = b.fill_like(scale, 1);
  const auto normalize = [&](ValueId x, ValueId factor, ValueId mean) {
    return b.add("BatchNormalization", {x, factor, zero, mean, variance}, {{"epsilon", epsilon}});
  };
  if (c.wants(0)) c.give(0, normalize(c.g(), scale, zero));
  if (!c.wants(1) && !c.wants(2) && !c.wants(3) && !c.wants(4)) return;
  const ValueId bias_gradient = sum_to_channels(b, c.g());
  const ValueId scale_gradient = sum_to_channels(b, b.add("Mul", {c.g(), normalize(c.x(), one, like_x(3))}));
  const ValueId inverse =
      b.add("Reciprocal", {b.add("Sqrt", {b.add("Add", {variance, b.fill_like(variance, epsilon)})})});
  const ValueId slope = b.add("Mul", {scale, inverse});
  const auto give = [&](size_t i, ValueId gradient) {
    if (c.wants(i)) c.give(i, b.add("CastLike", {gradient, c.x(i)}));
  };
  give(1, scale_gradient);
  give(2, bias_gradient);
  give(3, b.add("Neg", {b.add("Mul", {bias_gradient, slope})}));
  const ValueId half = b.fill_like(variance, -0.5F);
  give(4, b.add("Mul", {half, b.add("Mul", {scale_gradient, b.add("Mul", {slope, inverse})})}));
}

// y = n * scale + bias where n are the rows, the axes from `axis` on, less their mean and divided by their deviation.
void layer_normalization_rule(GradientCall& c) {
  auto& b = c.build;
  const int64_t axis = integer_attribute(c.node, "axis", -1);
  const ValueId rank = axis < 0 ? b.scalar(0) : b.add("Size", {b.add("Shape", {c.x()})});
  const ValueId axes = b.add("Range", {b.scalar(axis), rank, b.scalar(1)});
  const auto mean = [&](ValueId value) { return b.add("ReduceMean", {value, axes}); };
  const ValueId centered = b.add("Sub", {c.x(), mean(c.x())});
  const ValueId variance = mean(b.add("Mul", {centered, centered}));
  const ValueId epsilon = b.fill_like(variance, number_attribute(c.node, "epsilon", 1e-5F));
  const ValueId inverse = b.add("Reciprocal", {b.add("Sqrt", {b.add("Add", {variance, epsilon})})});
  const ValueId n = b.add("Mul", {centered, inverse});
  if (c.wants(1)) c.give(1, b.sum_to(b.add("Mul", {c.g(), n}), c.x(1)));
  if (c.wants(2)) c.give(2, b.sum_to(c.g(), c.x(2)));
  if (!c.wants(0)) return;
  const ValueId g = b.add("Mul", {c.g(), c.x(1)});
  const ValueId along = b.add("Mul", {n, mean(b.add("Mul", {g, n}))});
  c.give(0, b.add("Mul", {inverse, b.add("Sub", {b.add("Sub", {g, mean(g)}), along})}));
}

// What was added is cut off again; the other modes repeat elements, whose gradients are summed.
void pad_rule(GradientCall& c) {
  auto& b = c.build;
  const std::string* mode = string_attribute(c.node, "mode");
  const auto given = [&](size_t i) { return i < c.node.inputs.size() ? c.node.inputs[i] : kNoValue; };
  ValueId pads = given(1);
  for (const std::string_view name : {"pads", "paddings"}) {
    if (const auto* list = integers_attribute(c.node, name)) pads = b.vector(*list);
  }
  if (mode && *mode != "constant") {
    const ValueId positions = b.add("Pad", {b.positions(c.x()), pads, kNoValue, given(3)}, {{"mode", *mode}});
    return c.give(0, b.scatter(c.g(), positions, c.x()));
  }
  const ValueId inner = b.add("Pad", {c.g(), b.add("Neg", {pads}), kNoValue, given(3)});
  c.give(0, inner);
  if (!c.wants(2)) return;
  const auto total = [&](ValueId value) { return b.add("ReduceSum", {value}, {{"keepdims", int64_t{0}}}); };
  c.give(2, b.reshape_like(b.add("Sub", {total(c.g()), total(inner)}), c.x(2)));
}

// The terms of an equation without blanks: those of the inputs, then the output's.
std::vector<std::string> einsum_terms(const std::string& equation) {
  std::vector<std::string> terms(1);
  std::string output;
  bool is_explicit = false;
  for (size_t i = 0; i < equation.size(); ++i) {
    const char letter = equation[i];
    if (letter == ' ') continue;
    if (letter == '-') {
      is_explicit = true;
      ++i;
    } else if (letter == ',' && !is_explicit) {
      terms.emplace_back();
    } else {
      (is_explicit ? output : terms.back()) += letter;
    }
  }
  if (!is_explicit) {
    std::array<int, 128> uses{};
    for (const std::string& term : terms) {
      if (term.find('.') != std::string::npos) output = "...";
      for (const char letter : term) ++uses[static_cast<unsigned char>(letter) % uses.size()];
    }
    for (char letter = 'A'; letter <= 'z'; ++letter) {
      if (std::isalpha(static_cast<unsigned char>(letter)) && uses[static_cast<unsigned char>(letter)] == 1)
        output += letter;
    }
  }
  terms.push_back(output);
  return terms;
}

// Gives each axis of operand i that shares its name with an earlier one a name of its own: the names of both and the
// unit matrix that ties them.
std::vector<std::pair<std::string, ValueId>> untie(GradientCall& c, size_t i, const std::vector<std::string>& terms,
                                                   std::string& own) {
  auto& b = c.build;
  std::vector<std::pair<std::string, ValueId>> ties;
  std::string free = "zyxwvutsrqponmlkjihgfedcbaZYXWVUTSRQPONMLKJIHGFEDCBA";
  for (const std::string& term : terms)
    std::erase_if(free, [&](char letter) { return term.find(letter) != std::string::npos; });
  const size_t ellipsis = own.find('.');
  for (size_t k = 0; k < own.size(); ++k) {
    if (own[k] == '.' || own.find(own[k]) == k) continue;
    if (free.empty()) refuse("the gradient of an Einsum with more than 52 axes is not supported");
    // Axes behind an ellipsis are counted from the end.
    const bool from_end = ellipsis < k;
    const auto place = from_end ? static_cast<int64_t>(k) - static_cast<int64_t>(own.size()) : static_cast<int64_t>(k);
    const ValueId extent = b.add("Gather", {b.add("Shape", {c.x(i)}), b.scalar(place)});
    const ValueId range = b.add("Range", {b.scalar(0), extent, b.scalar(1)});
    const ValueId unit =
        b.add("Equal", {b.add("Unsqueeze", {range, b.vector({0})}), b.add("Unsqueeze", {range, b.vector({1})})});
    ties.emplace_back(std::string{own[k], free.back()}, b.add("CastLike", {unit, c.x(i)}));
    own[k] = free.back();
    free.pop_back();
  }
  return ties;
}

// The gradient of operand i is the product of the output's gradient and the other operands, with the operand's axes. A
// tensor of ones stands for the operand, so that axes which are summed in it alone are there. Of axes that share a name
// all but the first get one of their own, tied to it by a unit matrix.
void einsum_rule(GradientCall& c) {
  auto& b = c.build;
  const std::string* equation_given = string_attribute(c.node, "equation");
  const std::vector<std::string> terms = einsum_terms(equation_given ? *equation_given : "");
  if (terms.size() != c.node.inputs.size() + 1) refuse("the gradient of this equation of Einsum is not supported");
  for (size_t i = 0; i < c.node.inputs.size(); ++i) {
    if (!c.wants(i)) continue;
    std::string equation = terms.back();
    std::vector<ValueId> operands = {c.g()};
    for (size_t j = 0; j < c.node.inputs.size(); ++j) {
      if (j == i) continue;
      equation += "," + terms[j];
      operands.push_back(c.x(j));
    }
    std::string own = terms[i];
    std::string ties;
    for (const auto& [letters, unit] : untie(c, i, terms, own)) {
      ties += "," + letters;
      operands.push_back(unit);
    }
    equation += ties + "," + own + "->" + own;
    operands.push_back(b.fill_like(c.x(i), 1));
    c.give(i, b.sum_to(b.add("Einsum", operands, {{"equation", equation}}), c.x(i)));
  }
}

void cum_sum_rule(GradientCall& c) {
  const int64_t reverse = integer_attribute(c.node, "reverse", 0) != 0 ? 0 : 1;
  const int64_t exclusive = integer_attribute(c.node, "exclusive", 0);
  c.give(0, c.build.add("CumSum", {c.g(), c.x(1)}, {{"reverse", reverse}, {"exclusive", exclusive}}));
}

void trilu_rule(GradientCall& c) {
  std::vector<ValueId> inputs = c.node.inputs;
  inputs[0] = c.g();
  c.give(0, c.build.copy(c.node, inputs)[0]);
}

void refuse_second(GradientCall& c) {
  for (size_t i = 0; i < 2; ++i) {
    if (c.wants(i))
      refuse("the second derivative of " + c.node.op_type.substr(0, c.node.op_type.find("Gradient")) +
             " is not supported");
  }
}
void refuse_second_of_pool(GradientCall& c) {
  if (c.wants(0)) refuse("the second derivative of AveragePool is not supported");
}

}  // namespace

const std::map<std::string_view, GradientRule>& layer_rules() {
  static const std::map<std::string_view, GradientRule> kAll = {
      {"AveragePool", average_pool_rule},
      {"BatchNormalization", batch_normalization_rule},
      {"Conv", conv_rule},
      {"CumSum", cum_sum_rule},
      {"Einsum", einsum_rule},
      {"GlobalAveragePool", global_average_pool_rule},
      {"GlobalMaxPool", global_max_pool_rule},
      {"LayerNormalization", layer_normalization_rule},
      {"MaxPool", max_pool_rule},
      {"Pad", pad_rule},
      {"ReduceMax", reduce_extremum_rule},
      {"ReduceMin", reduce_extremum_rule},
      {"Trilu", trilu_rule},
      {"onnxrun.AveragePoolGradient", refuse_second_of_pool},
      {"onnxrun.ConvGradient", refuse_second},
  };
  return kAll;
}

}  // namespace onnxrun
