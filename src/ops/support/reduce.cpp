#include "ops/support/reduce.h"

namespace onnxrun::ops {
namespace {

// As many totals as stay in the first-level cache.
constexpr int64_t kTotals = 256;

struct Totals {
  alignas(16) std::byte data[static_cast<size_t>(kTotals) * kMaxReduceTotal];
};

// Numbers [begin, end) of the output, each of rows.
void reduce_rows(const ReduceLoops& loops, const ReduceKernel& kernel, const std::byte* src, std::byte* dst,
                 int64_t begin, int64_t end) {
  const auto element = static_cast<ptrdiff_t>(kernel.element_bytes);
  Totals totals;
  int64_t pending = 0;
  const auto finish = [&] {
    kernel.finish(totals.data, dst + (begin - pending) * element, pending, loops.count);
    pending = 0;
  };
  loops.kept.for_outer(
      begin, end,
      [&](const auto& kept) {
        if (pending == 0) kernel.start(totals.data, std::min(kTotals, end - begin));
        std::byte* total = totals.data + static_cast<size_t>(pending) * kernel.total_bytes;
        if (loops.count > 0) {
          loops.reduced.for_outer(0, loops.reduced.outer_count(), [&](const auto& offsets) {
            kernel.add_row(total, src + (kept[0] + offsets[0]) * element, loops.reduced.inner_extent());
          });
        }
        ++begin;
        if (++pending == kTotals) finish();
      },
      0);
  if (pending > 0) finish();
}

// The same of short rows that follow each other: the first elements of many rows, then the second ones.
void reduce_short_rows(const ReduceLoops& loops, const ReduceKernel& kernel, const std::byte* src, std::byte* dst,
                       int64_t begin, int64_t end) {
  const auto element = static_cast<ptrdiff_t>(kernel.element_bytes);
  Totals totals;
  for (int64_t n; begin < end; begin += n) {
    n = std::min(kTotals, end - begin);
    kernel.start(totals.data, n);
    kernel.add_columns(totals.data, src + begin * loops.count * element, 1, loops.count, loops.count, n);
    kernel.finish(totals.data, dst + begin * element, n, loops.count);
  }
}

// Whether the kept indices step over whole rows, each a few elements.
bool has_short_rows(const ReduceLoops& loops) {
  constexpr int64_t kShort = 8;
  return loops.count > 0 && loops.count <= kShort && loops.reduced.axis_count() <= 1 && loops.kept.axis_count() == 1 &&
         loops.kept.inner_strides()[0] == loops.count;
}

}  // namespace

ReduceLoops::ReduceLoops(const Shape& input, const std::vector<bool>& is_reduced) {
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

void plan_reduce(PlanContext& context, const ReduceLoops& loops, const ReduceKernel& kernel,
                 double nanoseconds_per_element) {
  if (context.output(0).elements() == 0) return context.phase(0, 0, [](const TileContext&) {});
  const double cost = static_cast<double>(loops.count) * nanoseconds_per_element;
  if (loops.rows || loops.count == 0) {
    const auto reduce = has_short_rows(loops) ? reduce_short_rows : reduce_rows;
    context.range(loops.kept.outer_count(0), cost + 5, [=](const TileContext& tile, int64_t begin, int64_t end) {
      reduce(loops, kernel, tile.input<std::byte>(0), tile.output<std::byte>(0), begin, end);
    });
    return;
  }
  // Columns side by side.
  const auto columns = static_cast<double>(std::min(kTotals, loops.kept.inner_extent()));
  context.range(loops.kept.piece_count(kTotals), cost * columns + 5,
                [=](const TileContext& tile, int64_t begin, int64_t end) {
                  const auto element = static_cast<ptrdiff_t>(kernel.element_bytes);
                  loops.kept.for_pieces(begin, end, kTotals, [&](const auto& kept, int64_t first, int64_t n) {
                    const std::byte* src = tile.input<std::byte>(0) + (kept[0] + first) * element;
                    Totals totals;
                    kernel.start(totals.data, n);
                    const ptrdiff_t row_step = loops.reduced.inner_strides()[0];
                    const int64_t rows = loops.reduced.inner_extent();
                    loops.reduced.for_outer(0, loops.reduced.outer_count(), [&](const auto& offsets) {
                      kernel.add_columns(totals.data, src + offsets[0] * element, row_step, rows, 1, n);
                    });
                    kernel.finish(totals.data, tile.output<std::byte>(0) + (kept[1] + first) * element, n, loops.count);
                  });
                });
}

}  // namespace onnxrun::ops
