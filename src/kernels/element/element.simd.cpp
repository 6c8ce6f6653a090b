// Plain loops, which the compiler makes vectors of.
#include "kernels/element/element.h"

#include "kernels/simd.h"

namespace onnxrun::ONNXRUN_SIMD_NAMESPACE {
namespace {

template <bool kXRow, bool kYRow, class T>
void select_row(const uint8_t* condition, const T* x, const T* y, T* __restrict dst, size_t n) noexcept {
  const T x0 = kXRow ? T{} : *x, y0 = kYRow ? T{} : *y;
  for (size_t i = 0; i < n; ++i) {
    const T yes = kXRow ? x[i] : x0, no = kYRow ? y[i] : y0;
    dst[i] = condition[i] != 0 ? yes : no;
  }
}

template <class T>
void select(const bool* condition, const void* x, ptrdiff_t x_step, const void* y, ptrdiff_t y_step, void* dst,
            size_t n) noexcept {
  const auto* chosen = reinterpret_cast<const uint8_t*>(condition);
  const auto* yes = static_cast<const T*>(x);
  const auto* no = static_cast<const T*>(y);
  auto* to = static_cast<T*>(dst);
  if (x_step == 0) {
    y_step == 0 ? select_row<false, false>(chosen, yes, no, to, n) : select_row<false, true>(chosen, yes, no, to, n);
  } else {
    y_step == 0 ? select_row<true, false>(chosen, yes, no, to, n) : select_row<true, true>(chosen, yes, no, to, n);
  }
}

template <class T>
bool offsets(const T* indices, size_t n, const IndexedElements& elements, int64_t* __restrict dst) noexcept {
  const auto [extent, stride, start, step] = elements;
  int64_t outside = 0;  // negative if an index is
  for (size_t i = 0; i < n; ++i) {
    int64_t index = indices[i];
    index += index >> 63 & extent;
    outside |= index | (extent - 1 - index);
    const auto along = static_cast<uint64_t>(index) * static_cast<uint64_t>(stride);  // wraps around far outside
    dst[i] = static_cast<int64_t>(along + static_cast<uint64_t>(start + static_cast<int64_t>(i) * step));
  }
  return outside >= 0;
}

}  // namespace

extern const ElementKernels kElementKernels;
constexpr ElementKernels kElementKernels = {
    {select<uint8_t>, select<uint16_t>, select<uint32_t>, select<uint64_t>}, offsets<int32_t>, offsets<int64_t>};

}  // namespace onnxrun::ONNXRUN_SIMD_NAMESPACE
