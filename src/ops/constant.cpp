// Constant: https://onnx.ai/onnx/operators/onnx__Constant.html, versions 1, 9, 11 (sparse_value), 12 (value_float,
// value_ints, ...), 13, 19, 21, 23, 24, 25. A sparse value becomes a dense tensor.
#include <cstring>

#include "graph/content.h"
#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

template <class T>
Tensor scalar(DType dtype, const T& value) {
  return Tensor::of<T>(dtype, {}, {&value, 1});
}

template <class T>
Tensor list(DType dtype, const std::vector<T>& values) {
  return Tensor::of<T>(dtype, {static_cast<int64_t>(values.size())}, values);
}

class ConstantOperator : public Operator {
 public:
  explicit ConstantOperator(AttributeReader& attributes) {
    int given = 0;
    const auto is_given = [&](const char* name) { return attributes.has(name) && ++given > 0; };
    if (is_given("value")) value_ = *attributes.tensor("value");
    if (attributes.version() >= 11 && is_given("sparse_value")) value_ = *attributes.tensor("sparse_value");
    if (attributes.version() >= 12) {
      if (is_given("value_float")) value_ = scalar(DType::float32, attributes.number("value_float", 0));
      if (is_given("value_floats")) value_ = list(DType::float32, attributes.numbers("value_floats"));
      if (is_given("value_int")) value_ = scalar(DType::int64, attributes.integer("value_int", 0));
      if (is_given("value_ints")) value_ = list(DType::int64, attributes.integers("value_ints"));
      if (is_given("value_string")) value_ = scalar(DType::string, attributes.string("value_string", ""));
      if (is_given("value_strings")) value_ = list(DType::string, attributes.strings("value_strings"));
    }
    if (given != 1) throw Error(ErrorCode::invalid_model, "a constant needs exactly one of its value attributes");
  }

  void infer(InferContext& context) const override {
    context.set_output(0, value_.dtype(), value_.shape());
    if (can_be_content(value_.dtype()) && value_.elements() <= kMaxContentElements) {
      context.set_content(0, content_of(value_));
    }
  }

  void run(RunContext& context) const override { context.set(0, value_); }

 private:
  Tensor value_;
};

}  // namespace

void register_constant(OpRegistry& registry) {
  registry.add({.name = "Constant",
                .versions = {1},
                .signature = "-> output:T",
                .types = {{.name = "T", .tensors = kIeeeFloats}},
                .create = make_operator<ConstantOperator>});
  ops::add_versions(registry, {.name = "Constant",
                               .versions = {9, 11, 12, 13, 19, 21, 23, 24, 25},
                               .signature = "-> output:T",
                               .create = make_operator<ConstantOperator>});
}

}  // namespace onnxrun
