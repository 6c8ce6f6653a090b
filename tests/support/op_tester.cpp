#include "support/op_tester.h"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <cstring>

#include "base/dispatch_dtype.h"
#include "graph/type.h"
#include "onnxrun/session.h"

namespace onnxrun {
namespace {

enum class Form { static_shapes, symbolic_shapes, constant_inputs };

std::string name_of(Form form) {
  return form == Form::static_shapes     ? "static shapes"
         : form == Form::symbolic_shapes ? "symbolic shapes"
                                         : "constants";
}

bool is_given(const Value& value) { return value.kind() != ValueKind::none; }

// The type of an input, with a symbol for every extent where `symbolic`.
ValueType declared_type(const Value& value, const std::string& name, bool symbolic) {
  ValueType type = Type::of(value).declared();
  for (size_t axis = 0; axis < type.dims.size() && symbolic; ++axis) {
    type.dims[axis] = {-1, name + "_" + std::to_string(axis)};
  }
  return type;
}

ModelBuilder build(const OpCase& test, Form form, std::vector<Value>& arguments) {
  ModelBuilder builder;
  builder.opset = test.opset;
  if (!test.domain.empty()) builder.domains.emplace_back(test.domain, test.opset);
  std::vector<std::string> inputs;
  for (const Value& value : test.inputs) {
    std::string name = is_given(value) ? "input" + std::to_string(inputs.size()) : "";
    if (is_given(value) && form == Form::constant_inputs && value.is_tensor()) {
      builder.main.constant(name, value.tensor());
    } else if (is_given(value)) {
      builder.main.input(name, declared_type(value, name, form == Form::symbolic_shapes));
      arguments.push_back(value);
    }
    inputs.push_back(std::move(name));
  }
  std::vector<std::string> outputs;
  for (const Value& value : test.outputs) {
    const std::string name = is_given(value) ? "output" + std::to_string(outputs.size()) : "";
    if (is_given(value)) builder.main.output(name);
    outputs.push_back(name);
  }
  builder.main.node(test.op, inputs, outputs, test.attributes, "", test.domain);
  return builder;
}

// The numbers of a float tensor; empty for other types.
std::vector<double> float_values(const Tensor& tensor) {
  std::vector<double> values;
  if (!kFloats.contains(tensor.dtype())) return values;
  dispatch_dtype<FloatTypes>(tensor.dtype(), [&]<class T>() {
    for (const T value : tensor.values<T>()) values.push_back(static_cast<double>(value));
  });
  return values;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || !(a.shape() == b.shape())) return false;
  if (a.dtype() == DType::string) return std::ranges::equal(a.values<std::string>(), b.values<std::string>());
  return std::memcmp(a.data(), b.data(), a.bytes()) == 0;
}

void expect_tensor(const OpCase& test, const Tensor& actual, const Tensor& expected) {
  ASSERT_EQ(Value(actual).type_string(), Value(expected).type_string());
  const std::vector<double> values = float_values(actual);
  const std::vector<double> wanted = float_values(expected);
  if (wanted.empty()) {
    EXPECT_TRUE(same_bits(actual, expected)) << "elements differ";
    return;
  }
  for (size_t i = 0; i < wanted.size(); ++i) {
    const bool same = values[i] == wanted[i] || (std::isnan(values[i]) && std::isnan(wanted[i]));
    const bool close = std::fabs(values[i] - wanted[i]) <= test.absolute + test.relative * std::fabs(wanted[i]);
    EXPECT_TRUE(same || close) << "element " << i << " is " << values[i] << ", not " << wanted[i];
  }
}

void expect_value(const OpCase& test, const Value& actual, const Value& expected) {
  ASSERT_EQ(actual.kind(), expected.kind());
  if (expected.is_tensor()) return expect_tensor(test, actual.tensor(), expected.tensor());
  if (expected.kind() == ValueKind::optional) {
    const auto& inner = actual.optional().element;
    ASSERT_EQ(inner != nullptr, expected.optional().element != nullptr);
    if (inner) expect_value(test, *inner, *expected.optional().element);
    return;
  }
  if (expected.kind() == ValueKind::map) {
    expect_tensor(test, actual.map().keys, expected.map().keys);
    ASSERT_EQ(actual.map().values.size(), expected.map().values.size());
    for (size_t i = 0; i < expected.map().values.size(); ++i) {
      expect_value(test, actual.map().values[i], expected.map().values[i]);
    }
    return;
  }
  const auto& elements = actual.sequence().elements;
  ASSERT_EQ(elements.size(), expected.sequence().elements.size());
  for (size_t i = 0; i < elements.size(); ++i) expect_value(test, elements[i], expected.sequence().elements[i]);
}

bool same_value(const Value& a, const Value& b) {
  if (a.kind() != b.kind()) return false;
  if (a.is_tensor()) return same_bits(a.tensor(), b.tensor());
  if (a.kind() == ValueKind::map) {
    return same_bits(a.map().keys, b.map().keys) &&
           std::equal(a.map().values.begin(), a.map().values.end(), b.map().values.begin(), b.map().values.end(),
                      same_value);
  }
  if (a.kind() != ValueKind::sequence) return true;
  const auto& left = a.sequence().elements;
  const auto& right = b.sequence().elements;
  return std::equal(left.begin(), left.end(), right.begin(), right.end(), same_value);
}

void expect_inferred(const ValueType& inferred, const Value& actual) {
  if (!actual.is_tensor() || inferred.kind != ValueKind::tensor) return;
  EXPECT_EQ(inferred.dtype, actual.tensor().dtype());
  if (!inferred.has_rank) return;
  ASSERT_EQ(inferred.dims.size(), actual.tensor().shape().rank()) << "inferred " << inferred.to_string();
  for (size_t axis = 0; axis < inferred.dims.size(); ++axis) {
    if (inferred.dims[axis].known()) {
      EXPECT_EQ(inferred.dims[axis].value, actual.tensor().shape()[axis]) << "inferred " << inferred.to_string();
    }
  }
}

std::vector<Value> run(const OpCase& test, Form form, int opt_level, int threads) {
  std::vector<Value> arguments;
  const Model model = build(test, form, arguments).model();
  SessionOptions options;
  options.opt_level = opt_level;
  options.threads = threads;
  options.oversubscribe = true;
  options.verify_passes = true;
  const Session session(model, options);
  std::vector<Value> results = session.run(arguments);
  for (size_t j = 0; j < results.size(); ++j) expect_inferred(session.outputs()[j].type, results[j]);
  return results;
}

}  // namespace

void expect_op(const OpCase& test) {
  std::vector<Value> first;
  for (const Form form : {Form::static_shapes, Form::symbolic_shapes, Form::constant_inputs}) {
    for (const int opt_level : {0, 2}) {
      for (const int threads : {1, 3}) {
        SCOPED_TRACE(test.op + " with " + name_of(form) + ", opt " + std::to_string(opt_level) + ", threads " +
                     std::to_string(threads));
        std::vector<Value> results;
        ASSERT_NO_THROW(
            try { results = run(test, form, opt_level, threads); } catch (const Error& error) {
              ADD_FAILURE() << error.what();
              throw;
            });
        size_t next = 0;
        for (const Value& expected : test.outputs) {
          if (is_given(expected)) expect_value(test, results.at(next++), expected);
        }
        if (first.empty()) first = results;
        for (size_t j = 0; j < results.size(); ++j) EXPECT_TRUE(same_value(results[j], first[j])) << "other bits";
      }
    }
  }
}

void expect_op_error(const OpCase& test, ErrorCode code, const std::string& text) {
  try {
    run(test, Form::static_shapes, 2, 1);
    ADD_FAILURE() << test.op << " did not fail";
  } catch (const Error& error) {
    EXPECT_EQ(error_code_name(error.code()), error_code_name(code)) << error.what();
    EXPECT_NE(std::string(error.what()).find(text), std::string::npos) << error.what();
  }
}

Tensor numbers(DType dtype, const Shape& shape, const std::vector<double>& values) {
  Tensor tensor(dtype, shape);
  dispatch_dtype<NumberTypes, bool>(dtype, [&]<class T>() {
    for (size_t i = 0; i < values.size(); ++i) {
      if constexpr (sizeof(T) == 2 && !std::is_integral_v<T>) {
        tensor.mutable_values<T>()[i] = T(static_cast<float>(values[i]));
      } else {
        tensor.mutable_values<T>()[i] = static_cast<T>(values[i]);
      }
    }
  });
  return tensor;
}

Tensor strings(const Shape& shape, const std::vector<std::string>& values) {
  return Tensor::of<std::string>(DType::string, shape, values);
}

Value sequence(std::vector<Value> elements) {
  ValueType type;
  type.dtype = elements.empty() ? DType::float32 : elements[0].tensor().dtype();
  return Sequence{std::make_shared<const ValueType>(std::move(type)), std::move(elements)};
}

}  // namespace onnxrun
