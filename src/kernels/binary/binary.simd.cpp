// Plain loops: the compiler vectorises them for each instruction set, and every operation is exact or correctly
// rounded.
#include "kernels/binary/binary_table.h"
#include "kernels/simd.h"

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
    return a < T(0) ? Mul::apply<T>(a, b) : a;
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
  } else {
    const T same = n > 0 ? a[0] : T();
    const ptrdiff_t step = b_step;
    for (size_t i = 0; i < n; ++i) out[i] = F::template apply<T>(same, b[static_cast<ptrdiff_t>(i) * step]);
  }
}

template <class F>
constexpr void fill(BinaryRowKernel (&rows)[kDTypeCount]) {
  rows[static_cast<size_t>(DType::float32)] = row<F, float>;
  rows[static_cast<size_t>(DType::float64)] = row<F, double>;
  rows[static_cast<size_t>(DType::int8)] = row<F, int8_t>;
  rows[static_cast<size_t>(DType::int16)] = row<F, int16_t>;
  rows[static_cast<size_t>(DType::int32)] = row<F, int32_t>;
  rows[static_cast<size_t>(DType::int64)] = row<F, int64_t>;
  rows[static_cast<size_t>(DType::uint8)] = row<F, uint8_t>;
  rows[static_cast<size_t>(DType::uint16)] = row<F, uint16_t>;
  rows[static_cast<size_t>(DType::uint32)] = row<F, uint32_t>;
  rows[static_cast<size_t>(DType::uint64)] = row<F, uint64_t>;
}

constexpr BinaryTable make_table() {
  BinaryTable table{};
  fill<Add>(table.rows[static_cast<size_t>(BinaryKind::add)]);
  fill<Sub>(table.rows[static_cast<size_t>(BinaryKind::sub)]);
  fill<Mul>(table.rows[static_cast<size_t>(BinaryKind::mul)]);
  fill<Div>(table.rows[static_cast<size_t>(BinaryKind::div)]);
  fill<Max>(table.rows[static_cast<size_t>(BinaryKind::max)]);
  fill<Min>(table.rows[static_cast<size_t>(BinaryKind::min)]);
  fill<PRelu>(table.rows[static_cast<size_t>(BinaryKind::prelu)]);
  fill<Equal>(table.rows[static_cast<size_t>(BinaryKind::equal)]);
  table.rows[static_cast<size_t>(BinaryKind::equal)][static_cast<size_t>(DType::boolean)] = row<Equal, uint8_t>;
  fill<Less>(table.rows[static_cast<size_t>(BinaryKind::less)]);
  fill<LessOrEqual>(table.rows[static_cast<size_t>(BinaryKind::less_or_equal)]);
  fill<Greater>(table.rows[static_cast<size_t>(BinaryKind::greater)]);
  fill<GreaterOrEqual>(table.rows[static_cast<size_t>(BinaryKind::greater_or_equal)]);
  return table;
}

}  // namespace

extern const BinaryTable kBinaryTable;
constexpr BinaryTable kBinaryTable = make_table();

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
