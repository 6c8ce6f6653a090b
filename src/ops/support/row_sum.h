#pragma once

#include <cstdint>

namespace onnxrun::ops {

// The sum of term(src[i]) for i < n in double, in chains of a fixed order.
template <class T, class Term>
double row_sum(const T* src, int64_t n, Term term) {
  constexpr int64_t kChains = 8;
  double chains[kChains] = {};
  int64_t i = 0;
  for (; i + kChains <= n; i += kChains) {
    for (int64_t k = 0; k < kChains; ++k) chains[k] += term(static_cast<double>(src[i + k]));
  }
  double sum = 0;
  for (; i < n; ++i) sum += term(static_cast<double>(src[i]));
  for (const double chain : chains) sum += chain;
  return sum;
}

}  // namespace onnxrun::ops
