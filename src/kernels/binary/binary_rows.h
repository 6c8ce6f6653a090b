// The loops of binary.h for one element type: plain ones, which the compiler vectorises; every operation is exact or
// correctly rounded. Included once per instruction set, and once for the types that are compiled for the baseline only.
#pragma once

#include "kernels/binary/binary_table.h"

#ifndef ONNXRUN_SIMD_NAMESPACE
#define ONNXRUN_SIMD_NAMESPACE baseline
#endif

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {
namespace {

template <class T>
inline constexpr bool kIsFloat = T(1) / T(2) != T(0);
template <class T>
inline constexpr bool kIsSigned = T(-1) < T(0);

// The unsigned type in which integers of T wrap around; floats stay what they are.
template <size_t Bytes>
struct UnsignedOf;
template <>
struct UnsignedOf<1> {
  using Type = uint32_t;
};
template <>
struct UnsignedOf<2> {
  using Type = uint32_t;
};
template <>
struct UnsignedOf<4> {
  using Type = uint32_t;
};
template <>
struct UnsignedOf<8> {
  using Type = uint64_t;
};
template <class T, bool IsFloat = kIsFloat<T>>
struct WrapOf {
  using Type = typename UnsignedOf<sizeof(T)>::Type;
};
template <class T>
struct WrapOf<T, true> {
  using Type = T;
};
template <class T>
using Wrap = typename WrapOf<T>::Type;

struct Add {
  template <class T>
  static T apply(T a, T b) {
    return static_cast<T>(static_cast<Wrap<T>>(a) + static_cast<Wrap<T>>(b));
  }
};
struct Sub {
  template <class T>
  static T apply(T a, T b) {
    return static_cast<T>(static_cast<Wrap<T>>(a) - static_cast<Wrap<T>>(b));
  }
};
struct Mul {
  template <class T>
  static T apply(T a, T b) {
    return static_cast<T>(static_cast<Wrap<T>>(a) * static_cast<Wrap<T>>(b));
  }
};
struct Div {
  template <class T>
  static T apply(T a, T b) {
    if constexpr (kIsFloat<T>) {
      return a / b;
    } else {
      if (b == 0) return 0;
      if constexpr (kIsSigned<T>) {
        if (b == -1) return Sub::apply<T>(0, a);
      }
      return static_cast<T>(a / b);
    }
  }
};
struct Max {
  template <class T>
  static T apply(T a, T b) {
    return a > b || a != a ? a : b;
  }
};
struct Min {
  template <class T>
  static T apply(T a, T b) {
    return a < b || a != a ? a : b;
  }
};
struct PRelu {
  template <class T>
  static T apply(T a, T b) {
    const T product = Mul::apply<T>(a, b);  // of every element, or else the loop stays scalar
    return a < T(0) ? product : a;
  }
};
struct Equal {
  template <class T>
  static uint8_t apply(T a, T b) {
    return a == b;
  }
};
struct Less {
  template <class T>
  static uint8_t apply(T a, T b) {
    return a < b;
  }
};
struct LessOrEqual {
  template <class T>
  static uint8_t apply(T a, T b) {
    return a <= b;
  }
};
struct Greater {
  template <class T>
  static uint8_t apply(T a, T b) {
    return a > b;
  }
};
struct GreaterOrEqual {
  template <class T>
  static uint8_t apply(T a, T b) {
    return a >= b;
  }
};

template <class F, class T>
void row(const void* a_data, ptrdiff_t a_step, const void* b_data, ptrdiff_t b_step, void* out_data,
         size_t n) noexcept {
  using Result = decltype(F::template apply<T>(T(), T()));
  const T* a = static_cast<const T*>(a_data);
  const T* b = static_cast<const T*>(b_data);
  Result* out = static_cast<Result*>(out_data);
  if (a_step != 0 && b_step != 0) {
    for (size_t i = 0; i < n; ++i) out[i] = F::template apply<T>(a[i], b[i]);
  } else if (a_step != 0) {
    const T same = n > 0 ? b[0] : T();
    for (size_t i = 0; i < n; ++i) out[i] = F::template apply<T>(a[i], same);
  } else if (b_step != 0) {
    const T same = n > 0 ? a[0] : T();
    for (size_t i = 0; i < n; ++i) out[i] = F::template apply<T>(same, b[i]);
  } else {
    for (size_t i = 0; i < n; ++i) out[i] = F::template apply<T>(a[0], b[0]);
  }
}

// Every kind for elements of T.
template <class T>
constexpr void fill(BinaryTable& table, DType dtype) {
  const auto set = [&](BinaryKind kind, BinaryRowKernel kernel) {
    table.rows[static_cast<size_t>(kind)][static_cast<size_t>(dtype)] = kernel;
  };
  set(BinaryKind::add, row<Add, T>);
  set(BinaryKind::sub, row<Sub, T>);
  set(BinaryKind::mul, row<Mul, T>);
  set(BinaryKind::div, row<Div, T>);
  set(BinaryKind::max, row<Max, T>);
  set(BinaryKind::min, row<Min, T>);
  set(BinaryKind::prelu, row<PRelu, T>);
  set(BinaryKind::equal, row<Equal, T>);
  set(BinaryKind::less, row<Less, T>);
  set(BinaryKind::less_or_equal, row<LessOrEqual, T>);
  set(BinaryKind::greater, row<Greater, T>);
  set(BinaryKind::greater_or_equal, row<GreaterOrEqual, T>);
}

}  // namespace
}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
