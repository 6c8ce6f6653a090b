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

  ReduceLoops(const Shape& input, const std::vector<bool>& is_reduced) {
    const auto strides = row_major_strides(input);
    Shape output = input;
    size_t innermost = input.rank();
    for (size_t axis = 0; axis < input.rank(); ++axis) {
      if (is_reduced[axis]) output[axis] = 1;
      if (input[axis] != 1) innermost = axis;
    }
    const auto target = row_major_strides(output);
    for (size_t axis = 0; axis < input.rank(); ++axis) {
      if (is_reduced[axis]) {
        reduced.add_axis(input[axis], {strides[axis]});
        count *= input[axis];
      } else {
        kept.add_axis(input[axis], {strides[axis], target[axis]});
      }
    }
    rows = innermost == input.rank() || is_reduced[innermost];
  }
};

// A reduction of elements T: Total start(), void add(Total&, T), void merge(Total&, Total), T finish(Total, count).
// Totals of a row run in a fixed number of chains, so that results do not depend on threads.
template <class Reduction, class T>
typename Reduction::Total reduce_row(typename Reduction::Total total, const T* src, int64_t n) {
  if constexpr (requires { Reduction::add_row(total, src, n); }) {
    Reduction::add_row(total, src, n);
    return total;
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
    return total;
  }
}

// Plans output 0 = the reduction of input 0.
template <class Reduction, class T>
void plan_reduce(PlanContext& context, const ReduceLoops& loops, double nanoseconds_per_element) {
  using Total = typename Reduction::Total;
  if (context.output(0).elements() == 0) return context.phase(0, 0, [](const TileContext&) {});
  const double cost = static_cast<double>(loops.count) * nanoseconds_per_element;
  if (loops.rows || loops.count == 0) {
    const bool is_empty = loops.count == 0;
    context.range(loops.kept.outer_count(0), cost + 5, [=](const TileContext& tile, int64_t begin, int64_t end) {
      const T* src = tile.input<T>(0);
      T* dst = tile.output<T>(0);
      const auto body = [&](const auto& kept) {
        Total total = Reduction::start();
        if (!is_empty) {
          loops.reduced.for_outer(0, loops.reduced.outer_count(), [&](const auto& offsets) {
            total = reduce_row<Reduction>(total, src + kept[0] + offsets[0], loops.reduced.inner_extent());
          });
        }
        dst[kept[1]] = Reduction::template finish<T>(total, loops.count);
      };
      loops.kept.for_outer(begin, end, body, 0);
    });
    return;
  }
  // Columns side by side, as many as stay in the first-level cache.
  constexpr int64_t kColumns = 256;
  const auto columns = static_cast<double>(std::min(kColumns, loops.kept.inner_extent()));
  context.range(loops.kept.piece_count(kColumns), cost * columns + 5,
                [=](const TileContext& tile, int64_t begin, int64_t end) {
                  loops.kept.for_pieces(begin, end, kColumns, [&](const auto& kept, int64_t first, int64_t n) {
                    const T* src = tile.input<T>(0) + kept[0] + first;
                    T* dst = tile.output<T>(0) + kept[1] + first;
                    Total totals[kColumns];
                    std::fill_n(totals, n, Reduction::start());
                    const auto body = [&](const auto& offsets) {
                      for (int64_t j = 0; j < n; ++j) Reduction::add(totals[j], src[offsets[0] + j]);
                    };
                    loops.reduced.for_outer(0, loops.reduced.outer_count(0), body, 0);
                    for (int64_t j = 0; j < n; ++j) dst[j] = Reduction::template finish<T>(totals[j], loops.count);
                  });
                });
}

}  // namespace onnxrun::ops
