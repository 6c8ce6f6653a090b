#include "format.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "elements.h"
#include "onnxrun/error.h"

namespace onnxrun::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kSummaryAbove = 200;  // elements
constexpr int64_t kEdge = 3;            // that a summary shows at each end of an axis

class TensorPrinter {
 public:
  TensorPrinter(std::ostream& out, const TensorView& tensor)
      : out_(out), tensor_(tensor), summary_(tensor.elements() > kSummaryAbove) {}

  void print(size_t axis, int64_t offset) {
    if (axis == tensor_.shape.rank()) {
      out_ << element_text(tensor_, offset);
      return;
    }
    const int64_t extent = tensor_.shape[axis];
    const int64_t stride = tensor_.shape.elements(axis + 1, tensor_.shape.rank());
    const bool innermost = axis + 1 == tensor_.shape.rank();
    const std::string separator = innermost ? ", " : ",\n" + std::string(axis + 1, ' ');
    out_ << '[';
    for (int64_t i = 0; i < extent; ++i) {
      if (i > 0) out_ << separator;
      if (summary_ && i == kEdge && extent > 2 * kEdge) {
        out_ << "..." << separator;
        i = extent - kEdge;
      }
      print(axis + 1, offset + i * stride);
    }
    out_ << ']';
  }

 private:
  std::ostream& out_;
  const TensorView& tensor_;
  bool summary_;
};

void print_children(std::ostream& out, const std::string& name, const std::vector<Value>& values) {
  for (size_t i = 0; i < values.size(); ++i) print_value(out, name + "[" + std::to_string(i) + "]", values[i]);
}

}  // namespace

void print_value(std::ostream& out, const std::string& name, const Value& value) {
  out << name << "  " << value.type_string() << '\n';
  switch (value.kind()) {
    case ValueKind::tensor: {
      const TensorView tensor = value.tensor();
      TensorPrinter(out, tensor).print(0, 0);
      out << '\n';
      break;
    }
    case ValueKind::sequence:
      print_children(out, name, value.sequence().elements);
      break;
    case ValueKind::map:
      print_value(out, name + ".keys", value.map().keys);
      print_children(out, name, value.map().values);
      break;
    case ValueKind::sparse_tensor:
      print_value(out, name + ".values", value.sparse_tensor().values);
      print_value(out, name + ".indices", value.sparse_tensor().indices);
      break;
    case ValueKind::optional:
      if (value.optional().element) print_value(out, name + ".value", *value.optional().element);
      break;
    case ValueKind::none:
      break;
  }
}

std::vector<int64_t> top_indices(const TensorView& tensor, int64_t begin, int64_t length, int count) {
  std::vector<int64_t> indices(static_cast<size_t>(length));
  std::iota(indices.begin(), indices.end(), 0);
  const auto kept = std::min<int64_t>(count, length);
  const auto before = [&](int64_t a, int64_t b) {
    const long double x = element_as_real(tensor, begin + a), y = element_as_real(tensor, begin + b);
    if (std::isnan(x) || std::isnan(y)) return std::isnan(x) != std::isnan(y) ? std::isnan(y) : a < b;
    return x != y ? x > y : a < b;
  };
  std::partial_sort(indices.begin(), indices.begin() + kept, indices.end(), before);
  indices.resize(static_cast<size_t>(kept));
  return indices;
}

void print_top(std::ostream& out, const std::string& name, const Value& value, int count,
               const std::vector<std::string>& labels) {
  if (!value.is_tensor() || value.tensor().dtype() == DType::string || is_complex(value.tensor().dtype())) {
    throw Error(ErrorCode::usage, "--topk needs numbers, and output '" + name + "' is " + value.type_string());
  }
  const TensorView tensor = value.tensor();
  out << name << "  " << value.type_string() << '\n';
  const int64_t length = tensor.shape.empty() ? 1 : tensor.shape.back();
  const int64_t rows = length == 0 ? 0 : tensor.elements() / length;
  for (int64_t row = 0; row < rows; ++row) {
    if (rows > 1) out << "row " << row << '\n';
    for (const int64_t index : top_indices(tensor, row * length, length, count)) {
      out << "  " << index;
      if (static_cast<size_t>(index) < labels.size()) out << "  " << labels[static_cast<size_t>(index)];
      out << "  " << element_text(tensor, row * length + index) << '\n';
    }
  }
}

Json element_json(const TensorView& tensor, int64_t index) {
  if (tensor.dtype == DType::string) return tensor.values<std::string>()[static_cast<size_t>(index)];
  if (tensor.dtype == DType::boolean) return element_as_real(tensor, index) != 0;
  if (is_complex(tensor.dtype)) {
    const std::complex<double> value = element_as_complex(tensor, index);
    return Json::array({value.real(), value.imag()});
  }
  const long double value = element_as_real(tensor, index);
  if (tensor.dtype == DType::uint64) return static_cast<uint64_t>(value);
  if (!is_float(tensor.dtype)) return static_cast<int64_t>(value);
  if (std::isfinite(value)) return static_cast<double>(value);
  return std::isnan(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";
}

Json value_json(const Value& value) {
  Json json = {{"type", value.type_string()}};
  if (value.is_tensor()) {
    const TensorView tensor = value.tensor();
    json["dtype"] = dtype_name(tensor.dtype);
    json["shape"] = std::vector<int64_t>(tensor.shape.begin(), tensor.shape.end());
    Json& data = json["data"] = Json::array();
    for (int64_t i = 0; i < tensor.elements(); ++i) data.push_back(element_json(tensor, i));
  } else if (value.kind() == ValueKind::sequence) {
    Json& elements = json["elements"] = Json::array();
    for (const Value& element : value.sequence().elements) elements.push_back(value_json(element));
  } else if (value.kind() == ValueKind::optional) {
    json["value"] = value.optional().element ? value_json(*value.optional().element) : Json();
  } else if (value.kind() == ValueKind::map) {
    json["keys"] = value_json(value.map().keys);
    Json& values = json["values"] = Json::array();
    for (const Value& element : value.map().values) values.push_back(value_json(element));
  } else if (value.kind() == ValueKind::sparse_tensor) {
    json["values"] = value_json(value.sparse_tensor().values);
    json["indices"] = value_json(value.sparse_tensor().indices);
  }
  return json;
}

}  // namespace onnxrun::cli
