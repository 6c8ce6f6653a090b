// NonZero: https://onnx.ai/onnx/operators/onnx__NonZero.html, versions 9, 13. -0 is zero, NaN is not, nor is a string
// that is not empty. A scalar counts as a vector of one element.
#include <algorithm>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

template <class T>
std::vector<int64_t> positions(std::span<const T> elements) {
  const auto is_found = [](const T& element) { return element != T(); };
  std::vector<int64_t> found(static_cast<size_t>(std::count_if(elements.begin(), elements.end(), is_found)) + 1);
  size_t count = 0;  // without a branch: which elements are found nobody can predict
  for (size_t i = 0; i < elements.size(); ++i) {
    found[count] = static_cast<int64_t>(i);
    count += is_found(elements[i]) ? 1 : 0;
  }
  found.pop_back();
  return found;
}

class NonZero : public Operator {
 public:
  explicit NonZero(AttributeReader& /*attributes*/) {}

  OperatorTraits traits() const override { return {.data_dependent = true}; }

  void infer(InferContext& context) const override {
    const DimShape& shape = context.shape(0);
    if (!shape.has_rank()) return context.set_shape(0, DimShape::of_rank(2));
    context.set_shape(0, {Dim(std::max<int64_t>(static_cast<int64_t>(shape.rank()), 1)), Dim::unknown()});
  }

  void run(RunContext& context) const override {
    const TensorView input = context.input(0);
    std::vector<int64_t> found;
    dispatch_dtype<NumberTypes, bool, std::string, std::complex<float>, std::complex<double>>(
        input.dtype, [&]<class T>() { found = positions(input.values<T>()); });
    const Shape shape = input.shape.rank() == 0 ? Shape{1} : input.shape;
    const auto count = static_cast<int64_t>(found.size());
    int64_t* dst = context.output<int64_t>(0, DType::int64, {static_cast<int64_t>(shape.rank()), count});
    for (size_t axis = shape.rank(); axis-- > 0;) {
      // Positions ascend: their quotients by the extent are counted.
      int64_t* row = dst + static_cast<int64_t>(axis) * count;
      int64_t quotient = 0, begin = 0;
      for (size_t i = 0; i < found.size(); ++i) {
        for (; found[i] - begin >= shape[axis]; begin += shape[axis]) ++quotient;
        row[i] = found[i] - begin;
        found[i] = quotient;
      }
    }
  }
};

}  // namespace

void register_non_zero(OpRegistry& registry) {
  ops::add_versions(
      registry,
      {.name = "NonZero", .versions = {9, 13}, .signature = "X:T -> Y:int64", .create = make_operator<NonZero>});
}

}  // namespace onnxrun
