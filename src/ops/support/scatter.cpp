#include "ops/support/scatter.h"

#include <algorithm>

#include "base/dispatch_dtype.h"
#include "onnxrun/error.h"
#include "ops/support/element_width.h"
#include "ops/support/strided_copy.h"

namespace onnxrun::ops {
namespace {

template <class T, class F>
Combine combine_with(F f) {
  return [f](const void* src, int64_t first, void* dst, const int64_t* offsets, int64_t rows, int64_t n) {
    const T* from = static_cast<const T*>(src) + first;
    T* to = static_cast<T*>(dst);
    if (n == 1) {
      for (int64_t r = 0; r < rows; ++r) to[offsets[r]] = f(to[offsets[r]], from[r]);
      return;
    }
    for (int64_t r = 0; r < rows; ++r, from += n) {
      T* row = to + offsets[r];
      for (int64_t i = 0; i < n; ++i) row[i] = f(row[i], from[i]);
    }
  };
}

// Integers wrap around.
template <class T>
using Wrap = std::conditional_t<std::is_integral_v<T>, uint64_t, std::conditional_t<sizeof(T) == 8, double, float>>;

template <class T>
Combine combine_numbers(const std::string& reduction) {
  if (reduction == "add") {
    return combine_with<T>([](T a, T b) { return static_cast<T>(static_cast<Wrap<T>>(a) + static_cast<Wrap<T>>(b)); });
  }
  if (reduction == "mul") {
    return combine_with<T>([](T a, T b) { return static_cast<T>(static_cast<Wrap<T>>(a) * static_cast<Wrap<T>>(b)); });
  }
  if (reduction == "min") return combine_with<T>([](T a, T b) { return b < a || b != b ? b : a; });
  return combine_with<T>([](T a, T b) { return b > a || b != b ? b : a; });
}

}  // namespace

std::string read_reduction(AttributeReader& attributes, int64_t since, int64_t extrema_since) {
  if (attributes.version() < since) return "none";
  if (attributes.version() < extrema_since) return attributes.one_of("reduction", {"none", "add", "mul"});
  return attributes.one_of("reduction", {"none", "add", "mul", "min", "max"});
}

Combine make_combine(const std::string& reduction, DType dtype) {
  Combine combine;
  if (reduction == "none") {
    dispatch_width(dtype, [&]<class T>() { combine = combine_with<T>([](const T&, const T& b) { return b; }); });
  } else if (kNumbers.contains(dtype)) {
    dispatch_dtype<NumberTypes>(dtype, [&]<class T>() { combine = combine_numbers<T>(reduction); });
  } else {
    throw Error(ErrorCode::invalid_model,
                "reduction '" + reduction + "' is not defined for " + std::string(dtype_name(dtype)));
  }
  return combine;
}

void plan_base_copy(PlanContext& context) {
  context.in_place(0, 0);
  StridedCopy copy;
  copy.add_axis(context.output(0).elements(), 1, 1);
  plan_copy(context, 0, 0, copy);
}

}  // namespace onnxrun::ops
