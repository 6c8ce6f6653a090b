#include "compare.h"

#include <cmath>
#include <cstdint>

#include "elements.h"

namespace onnxrun::cli {
namespace {

bool close(long double got, long double want, const Tolerance& tolerance) {
  if (std::isnan(got) || std::isnan(want)) return std::isnan(got) && std::isnan(want);
  if (std::isinf(got) || std::isinf(want)) return got == want;
  return std::abs(got - want) <= tolerance.atol + tolerance.rtol * std::abs(want);
}

bool close(const std::complex<double>& got, const std::complex<double>& want, const Tolerance& tolerance) {
  const auto not_finite = [](const std::complex<double>& z) {
    return !std::isfinite(z.real()) || !std::isfinite(z.imag());
  };
  if (not_finite(got) || not_finite(want)) {
    return close(got.real(), want.real(), {0, 0}) && close(got.imag(), want.imag(), {0, 0});
  }
  return std::abs(got - want) <= tolerance.atol + tolerance.rtol * std::abs(want);
}

bool element_agrees(const TensorView& got, const TensorView& want, int64_t i, const Tolerance& tolerance) {
  if (got.dtype == DType::string) {
    const auto at = static_cast<size_t>(i);
    return got.values<std::string>()[at] == want.values<std::string>()[at];
  }
  if (is_complex(got.dtype)) return close(element_as_complex(got, i), element_as_complex(want, i), tolerance);
  return close(element_as_real(got, i), element_as_real(want, i), tolerance);
}

std::string tensor_difference(const Tensor& got, const Tensor& want, const Tolerance& tolerance) {
  int64_t wrong = 0, first = 0;
  for (int64_t i = 0; i < got.elements(); ++i) {
    if (element_agrees(got, want, i, tolerance)) continue;
    if (wrong++ == 0) first = i;
  }
  if (wrong == 0) return "";
  return std::to_string(wrong) + " of " + std::to_string(got.elements()) + " elements differ, the first at " +
         std::to_string(first) + ": " + element_text(got, first) + " instead of " + element_text(want, first);
}

// Walks two values of the same structure; `compare_tensors` says what is wrong with two tensors of the same type.
template <class CompareTensors>
std::string walk(const Value& got, const Value& want, const CompareTensors& compare_tensors) {
  if (got.kind() != want.kind()) return got.type_string() + " instead of " + want.type_string();
  switch (got.kind()) {
    case ValueKind::tensor:
      if (got.tensor().dtype() != want.tensor().dtype() || got.tensor().shape() != want.tensor().shape()) {
        return got.type_string() + " instead of " + want.type_string();
      }
      return compare_tensors(got.tensor(), want.tensor());
    case ValueKind::sequence: {
      const auto &a = got.sequence().elements, &b = want.sequence().elements;
      if (a.size() != b.size()) return std::to_string(a.size()) + " elements instead of " + std::to_string(b.size());
      for (size_t i = 0; i < a.size(); ++i) {
        const std::string wrong = walk(a[i], b[i], compare_tensors);
        if (!wrong.empty()) return "element " + std::to_string(i) + ": " + wrong;
      }
      return "";
    }
    case ValueKind::optional: {
      const auto &a = got.optional().element, &b = want.optional().element;
      if (!a || !b) return !a == !b ? "" : a ? "a value instead of none" : "no value";
      return walk(*a, *b, compare_tensors);
    }
    default:
      return "values of type " + got.type_string() + " cannot be compared";
  }
}

}  // namespace

std::string difference(const Value& got, const Value& want, const Tolerance& tolerance) {
  return walk(got, want, [&](const Tensor& a, const Tensor& b) { return tensor_difference(a, b, tolerance); });
}

std::string type_difference(const Value& got, const Value& want) {
  return walk(got, want, [](const Tensor&, const Tensor&) { return std::string(); });
}

}  // namespace onnxrun::cli
