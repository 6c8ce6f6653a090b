#include "runtime/operation_count.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <string_view>

namespace onnxrun {
namespace {

// Of operators whose input `weights` is [.., taps], each element of which meets every position of the other operand.
struct Convolution {
  std::string_view op_type;
  size_t weights;
  bool over_input = false;  // positions of the input, not of the output
};
constexpr std::array<Convolution, 8> kConvolutions = {{{"Conv", 1},
                                                       {"BlockedConv", 1},
                                                       {"ConvTranspose", 1, true},
                                                       {"DeformConv", 1},
                                                       {"ConvInteger", 1},
                                                       {"QLinearConv", 3},
                                                       {"QuantizedConv", 1},
                                                       {"BlockedQuantizedConv", 1}}};
constexpr std::array<std::string_view, 4> kRowProducts = {"MatMul", "MatMulInteger", "QLinearMatMul",
                                                          "QuantizedMatMul"};
constexpr std::array<std::string_view, 3> kRecurrent = {"RNN", "GRU", "LSTM"};

double product(std::initializer_list<int64_t> factors) {
  double result = 1;
  for (const int64_t factor : factors) result *= static_cast<double>(factor);
  return result;
}

}  // namespace

double multiply_adds(const Node& node, const Step& step) {
  const auto shape = [&](size_t k) { return step.operands[k].type.shape; };
  const Shape output = shape(step.input_count);
  if (step.input_count < 2 || output.empty() || output.elements() == 0) return 0;
  const std::string_view name = node.op_type;
  for (const Convolution& convolution : kConvolutions) {
    if (name != convolution.op_type) continue;
    const Shape maps = convolution.over_input ? shape(0) : output;
    // Blocked maps have an axis more than the weights.
    const size_t end = std::min(maps.rank(), shape(convolution.weights).rank());
    return product({maps[0], maps.elements(2, end), shape(convolution.weights).elements()});
  }
  if (name == "Gemm") return product({shape(0).elements(), output.back()});
  const auto is_one_of = [&](const auto& names) { return std::find(names.begin(), names.end(), name) != names.end(); };
  if (is_one_of(kRowProducts)) return product({output.elements(), shape(0).empty() ? 1 : shape(0).back()});
  if (is_one_of(kRecurrent) && step.input_count > 2) {
    const Shape steps = shape(0);
    return product({steps[0], steps[1], shape(1).elements() + shape(2).elements()});
  }
  return 0;
}

}  // namespace onnxrun
