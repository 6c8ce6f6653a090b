#include "ops/support/float_block.h"

#include <algorithm>

#include "base/dispatch_dtype.h"
#include "kernels/half/half.h"

namespace onnxrun::ops {

template <class C>
void load_floats(DType dtype, const void* src, int64_t at, int64_t n, C* dst) {
  dispatch_dtype<FloatTypes>(dtype, [&]<class T>() {
    const T* from = static_cast<const T*>(src) + at;
    if constexpr (std::is_same_v<T, Half> && std::is_same_v<C, float>) {
      return half_kernels().widen(from, dst, static_cast<size_t>(n));
    }
    for (int64_t i = 0; i < n; ++i) dst[i] = static_cast<C>(from[i]);
  });
}

template <class C>
void store_floats(DType dtype, const C* src, void* dst, int64_t at, int64_t n) {
  dispatch_dtype<FloatTypes>(dtype, [&]<class T>() {
    T* to = static_cast<T*>(dst) + at;
    if constexpr (std::is_same_v<T, Half> && std::is_same_v<C, float>) {
      return half_kernels().narrow(src, to, static_cast<size_t>(n));
    }
    for (int64_t i = 0; i < n; ++i) to[i] = static_cast<T>(src[i]);
  });
}

template void load_floats(DType, const void*, int64_t, int64_t, float*);
template void load_floats(DType, const void*, int64_t, int64_t, double*);
template void store_floats(DType, const float*, void*, int64_t, int64_t);
template void store_floats(DType, const double*, void*, int64_t, int64_t);

}  // namespace onnxrun::ops
