#include "ops/support/split_product.h"

#include <algorithm>

#include "base/checked.h"

namespace onnxrun::ops {
namespace {

constexpr double kNanosecondsPerMultiply = 0.006;
constexpr double kNanosecondsPerSplit = 150;  // of 32 x 32 numbers

}  // namespace

const SplitGemmKernels* split_product_kernels(const PlanContext& context, size_t m, size_t n, size_t k, double share) {
  const PlanOptions& options = context.options();
  if (options.precision == Precision::strict || options.keep_denormals) return nullptr;
  return split_gemm_pays(m, n, k, share) ? split_gemm_kernels() : nullptr;
}

void add_split_product(PlanContext& context, const SplitGemmKernels& kernels, const SplitGemmPlan& plan, size_t m,
                       size_t n, size_t k, size_t parts, const FindSplitArgs& find) {
  const size_t scratch = context.scratch(plan.scratch_bytes);
  for (size_t row = 0; row < m; row += plan.chunk_rows) {
    const size_t end = std::min(m, row + plan.chunk_rows);
    const auto args_of = [=](const TileContext& tile) {
      SplitGemmArgs args = find(tile);
      args.row_begin = row;
      args.row_end = end;
      args.a = plan.parts(tile.shared + parts);
      return args;
    };
    const size_t items = ceil_div(end - row, kSplitRows) * ceil_div(k, kSplitDepth);
    context.range(static_cast<int64_t>(items), kNanosecondsPerSplit,
                  [=, split = kernels.split](const TileContext& tile, int64_t first, int64_t last) {
                    split(args_of(tile), static_cast<size_t>(first), static_cast<size_t>(last));
                  });
    const GemmTiling tiling = split_gemm_tiling(end - row, n, k, gemm_kernels().nr);
    const double multiplies = static_cast<double>(end - row) * static_cast<double>(n) * static_cast<double>(k);
    context.phase(static_cast<int64_t>(tiling.tile_count()),
                  multiplies * kNanosecondsPerMultiply / static_cast<double>(tiling.tile_count()),
                  [=, &kernels](const TileContext& tile) {
                    run_split_gemm_tile(kernels, args_of(tile), tiling, static_cast<size_t>(tile.tile),
                                        tile.scratch + scratch);
                  });
  }
}

}  // namespace onnxrun::ops
