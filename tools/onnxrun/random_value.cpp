#include "random_value.h"

#include <algorithm>
#include <functional>
#include <random>

#include "elements.h"
#include "onnxrun/error.h"
#include "quantity.h"

namespace onnxrun::cli {
namespace {

using Generator = std::mt19937_64;
using Draw = std::function<double(Generator&)>;

// The two numbers of "name(a,b)".
std::pair<double, double> arguments(const std::string& rule, const std::string& name) {
  const size_t comma = rule.find(',');
  if (!rule.starts_with(name + "(") || !rule.ends_with(')') || comma == std::string::npos) {
    throw Error(ErrorCode::usage,
                "'" + rule + "' is no rule for random values: normal(0,1), uniform(a,b), ones or zeros");
  }
  const size_t begin = name.size() + 1;
  return {parse_number(rule.substr(begin, comma - begin)),
          parse_number(rule.substr(comma + 1, rule.size() - comma - 2))};
}

Draw make_draw(const std::string& rule, bool integer) {
  if (rule == "ones" || rule == "zeros") return [value = rule == "ones" ? 1.0 : 0.0](Generator&) { return value; };
  if (rule.empty() && integer) return [](Generator& generator) { return static_cast<double>(generator() % 4); };
  if (rule.starts_with("uniform")) {
    const auto [a, b] = arguments(rule, "uniform");
    if (integer) {
      std::uniform_int_distribution<int64_t> draw(static_cast<int64_t>(std::min(a, b)),
                                                  static_cast<int64_t>(std::max(a, b)));
      return [draw](Generator& generator) mutable { return static_cast<double>(draw(generator)); };
    }
    std::uniform_real_distribution<double> draw(std::min(a, b), std::max(a, b));
    return [draw](Generator& generator) mutable { return draw(generator); };
  }
  const auto [mean, deviation] = rule.empty() ? std::pair(0.0, 1.0) : arguments(rule, "normal");
  return [draw = std::normal_distribution<double>(mean, std::max(deviation, 1e-300))](Generator& generator) mutable {
    return draw(generator);
  };
}

}  // namespace

Tensor random_tensor(const ValueType& type, const std::string& rule, uint64_t seed) {
  if (type.kind != ValueKind::tensor) {
    throw Error(ErrorCode::invalid_input, "random values are tensors, and this is " + type.to_string());
  }
  Shape shape;
  for (const DeclaredDim& dim : type.dims) shape.push_back(dim.known() ? dim.value : 1);
  Tensor tensor(type.dtype, shape);
  Generator generator(seed);
  if (type.dtype == DType::string) {
    for (std::string& text : tensor.mutable_values<std::string>()) text = "text" + std::to_string(generator() % 10);
    return tensor;
  }
  const bool integer = !is_float(type.dtype) && !is_complex(type.dtype);
  const Draw draw = make_draw(rule, integer);
  for (int64_t i = 0; i < tensor.elements(); ++i) {
    const double value = draw(generator);
    set_element(tensor, i, type.dtype == DType::boolean && rule.empty() ? static_cast<int>(value) % 2 : value);
  }
  return tensor;
}

}  // namespace onnxrun::cli
