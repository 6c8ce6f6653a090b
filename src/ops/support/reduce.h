#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "graph/operator.h"
#include "ops/support/strided_loop.h"

namespace onnxrun::ops {

// The axes of a reduction: what stays (input and output strides) and what goes (input strides). Neighbouring axes of
// one kind are merged.
struct ReduceLoops {
  StridedLoop<2> kept;
  StridedLoop<1> reduced;
  bool rows = true;   // the innermost axis is reduced: rows of the input become numbers
  int64_t count = 1;  // elements that become one

  ReduceLoops(const Shape& input, const std::vector<bool>& is_reduced);
};

// What a reduction does with elements and with totals of its own type.
struct ReduceKernel {
  size_t element_bytes = 0;
  size_t total_bytes = 0;  // at most kMaxReduceTotal
  void (*start)(void* totals, int64_t n) = nullptr;
  void (*add_row)(void* total, const void* src, int64_t n) = nullptr;  // n elements to one total
  // An element of each of `rows` rows, row_step apart, to each of n totals; these elements are `step` apart.
  void (*add_columns)(void* totals, const void* src, ptrdiff_t row_step, int64_t rows, ptrdiff_t step,
                      int64_t n) = nullptr;
  void (*finish)(const void* totals, void* dst, int64_t n, int64_t count) = nullptr;
};
inline constexpr size_t kMaxReduceTotal = 16;

// Plans output 0 = the reduction of input 0. Totals of a row run in a fixed number of chains, so that results do not
// depend on threads.
void plan_reduce(PlanContext& context, const ReduceLoops& loops, const ReduceKernel& kernel,
                 double nanoseconds_per_element);

template <class Reduction, class T>
void reduce_row(void* data, const void* elements, int64_t n) {
  auto& total = *static_cast<typename Reduction::Total*>(data);
  const T* src = static_cast<const T*>(elements);
  if constexpr (requires { Reduction::add_row(total, src, n); }) {
    Reduction::add_row(total, src, n);
  } else {
    constexpr int64_t kChains = 8;
    typename Reduction::Total chains[kChains];
    for (auto& chain : chains) chain = Reduction::start();
    int64_t i = 0;
    for (; i + kChains <= n; i += kChains) {
      for (int64_t k = 0; k < kChains; ++k) Reduction::add(chains[k], src[i + k]);
    }
    for (; i < n; ++i) Reduction::add(total, src[i]);
    for (const auto& chain : chains) Reduction::merge(total, chain);
  }
}

// The kernel of a Reduction of elements T: Total start(), void add(Total&, T), void merge(Total&, Total), T
// finish(Total, count), and void add_row(Total&, const T*, n) and add_columns(Total*, const T*, row_step, rows, n)
// where it has faster ones.
template <class Reduction, class T>
ReduceKernel make_reduce_kernel() {
  using Total = typename Reduction::Total;
  static_assert(sizeof(Total) <= kMaxReduceTotal);
  ReduceKernel kernel;
  kernel.element_bytes = sizeof(T);
  kernel.total_bytes = sizeof(Total);
  kernel.start = [](void* totals, int64_t n) { std::fill_n(static_cast<Total*>(totals), n, Reduction::start()); };
  kernel.add_row = reduce_row<Reduction, T>;
  kernel.add_columns = [](void* data, const void* elements, ptrdiff_t row_step, int64_t rows, ptrdiff_t step,
                          int64_t n) {
    auto* totals = static_cast<Total*>(data);
    const auto* src = static_cast<const T*>(elements);
    if constexpr (requires { Reduction::add_columns(totals, src, row_step, rows, n); }) {
      if (step == 1) return Reduction::add_columns(totals, src, row_step, rows, n);
    }
    for (; rows > 0; --rows, src += row_step) {
      if (step == 1) {
        for (int64_t j = 0; j < n; ++j) Reduction::add(totals[j], src[j]);
      } else {
        for (int64_t j = 0; j < n; ++j) Reduction::add(totals[j], src[j * step]);
      }
    }
  };
  kernel.finish = [](const void* totals, void* dst, int64_t n, int64_t count) {
    for (int64_t j = 0; j < n; ++j) {
      static_cast<T*>(dst)[j] = Reduction::template finish<T>(static_cast<const Total*>(totals)[j], count);
    }
  };
  return kernel;
}

}  // namespace onnxrun::ops
