#include "ops/support/matrix_multiply.h"

#include <algorithm>
#include <bit>
#include <memory>
#include <type_traits>

#include "base/aligned_buffer.h"
#include "base/checked.h"
#include "base/dispatch_dtype.h"
#include "kernels/attention/attention.h"
#include "ops/support/split_product.h"
#include "ops/support/wide_operands.h"

namespace onnxrun::ops {
namespace {

constexpr double kNanosecondsPerMultiply = 0.02;
constexpr double kNanosecondsPerWeight = 0.1;  // read from far caches

// A product's operands, where a tile finds them.
template <class T>
struct ProductOperands {
  MatrixMultiply product;
  WideOperands<T> wide;             // 16-bit operands as floats
  const T* constant = nullptr;      // packed matrices, where B is one
  size_t packed = 0;                // where it is none: their place in the step's shared memory
  size_t parts = 0;                 // place of the parts of A, for a split product
  size_t packed_size = 0;           // elements of each packed matrix
  std::vector<size_t> matrix = {};  // of each product

  GemmArgsOf<T> operator()(const TileContext& tile, size_t index) const {
    const T* packed_b = constant ? constant : reinterpret_cast<const T*>(tile.shared + packed);
    const size_t output = index * product.m * product.n;
    GemmArgsOf<T> args;
    args.m = product.m;
    args.n = product.n;
    args.k = product.k;
    args.a = wide.input(tile, 0) + product.a_offsets[index];
    args.a_row_stride = product.a_row_stride;
    args.a_col_stride = product.a_col_stride;
    args.packed_b = packed_b + matrix[index] * packed_size;
    args.c = wide.output(tile) + output;
    args.c_row_stride = static_cast<ptrdiff_t>(product.n);
    if (product.bias) args.epilogue.bias = wide.input(tile, *product.bias);
    if (product.residual) args.epilogue.residual = tile.input<T>(*product.residual) + output;
    args.epilogue.residual_row_stride = static_cast<ptrdiff_t>(product.n);
    args.epilogue.steps = product.steps.data();
    args.epilogue.step_count = static_cast<int>(product.steps.size());
    return args;
  }
};

template <class T>
class PackedProduct {
 public:
  PackedProduct(PlanContext& context, const MatrixMultiply& product)
      : context_(context), product_(product), kernel_(gemm_kernels_of<T>()) {
    matrices_ = product.b_offsets;
    std::sort(matrices_.begin(), matrices_.end());
    matrices_.erase(std::unique(matrices_.begin(), matrices_.end()), matrices_.end());
    packed_size_ = align_up(std::max<size_t>(1, kernel_.packed_b_size(product.k, product.n)), kAlignment / sizeof(T));
  }

  void plan() {
    const bool is_constant = context_.is_constant(1) && context_.input(1).dtype == kDTypeOf<T>;
    const bool is_direct = !is_constant && can_read_directly();
    const SplitGemmKernels* split = is_direct ? nullptr : split_kernels();
    const SplitGemmPlan split_plan =
        split ? plan_split_gemm(product_.m, product_.n, product_.k, kernel_.nr) : SplitGemmPlan{};
    std::vector<size_t> inputs = {0, 1};
    if (product_.bias) inputs.push_back(*product_.bias);
    size_t shared = 0;
    ProductOperands<T> operands = {.product = product_, .wide = WideOperands<T>(context_, inputs, shared)};
    const auto reserve = [&](size_t bytes) {
      const size_t begin = align_up(shared, kAlignment);
      shared = begin + bytes;
      return begin;
    };
    operands.packed_size = packed_size_;
    operands.matrix = matrix_of_product();
    if (!is_constant && !is_direct) operands.packed = reserve(packed_size_ * matrices_.size() * sizeof(T));
    operands.parts = reserve(split_plan.shared_bytes);
    context_.share(shared);
    operands.wide.add_widening(context_);
    if (is_constant) {
      operands.constant = pack_constant();
    } else if (!is_direct) {
      add_packing(operands);
    }
    if constexpr (std::is_same_v<T, float>) {
      if (is_direct) add_direct_products(operands);
      if (split) {
        const auto find = [operands, dense = &kernel_, epilogue_row = epilogue_row_f32()](const TileContext& tile) {
          SplitGemmArgs args;
          args.gemm = operands(tile, 0);
          args.dense = dense;
          args.epilogue_row = epilogue_row;
          return args;
        };
        add_split_product(context_, *split, split_plan, product_.m, product_.n, product_.k, operands.parts, find);
      }
    }
    if (!split && !is_direct) add_products(operands);
    operands.wide.add_narrowing(context_);
    context_.flush_denormals();
    std::string& implementation = context_.result().implementation;
    if (implementation.empty()) implementation = is_direct ? "direct" : "packed";
    if (split) implementation.insert(0, "bf16x3 ");
  }

 private:
  // Packs `rows` rows of `panels` panels from `b` on, with `columns` columns up to the end of the matrix.
  static void pack(const GemmKernelsOf<T>& kernel, const MatrixMultiply& product, const T* b, size_t rows,
                   size_t columns, size_t panels, T* dst) {
    kernel.pack_b(b, product.b_row_stride, product.b_col_stride, rows, columns, 0, panels, dst);
    if (product.alpha == 1) return;
    const size_t count = panels * kernel.panel_size(rows);
    for (size_t i = 0; i < count; ++i) dst[i] *= static_cast<T>(product.alpha);
  }

  const T* pack_constant() {
    std::string format = "gemm " + std::to_string(product_.k) + " " + std::to_string(product_.n) + " " +
                         std::to_string(product_.b_row_stride) + " " + std::to_string(product_.b_col_stride) + " " +
                         std::to_string(std::bit_cast<uint32_t>(product_.alpha));
    for (const size_t offset : matrices_) format += " " + std::to_string(offset);
    const bool by_rows = matrices_.size() == 1 && product_.b_col_stride == 1;
    return reinterpret_cast<const T*>(context_.packed_later(1, format, packed_size_ * matrices_.size() * sizeof(T),
                                                            by_rows ? packing_of_rows() : packing_of_panels()));
  }

  size_t constant_bytes() const { return static_cast<size_t>(context_.input(1).shape.elements()) * sizeof(T); }

  // Units are a few rows, of all panels.
  Packing packing_of_rows() const {
    constexpr size_t kRows = 32;
    const auto row = [k = product_.k](size_t unit) { return std::min(k, unit * kRows); };
    const auto pack_units = [=, kernel = &kernel_, product = product_](const std::byte* source, std::byte* dst,
                                                                       size_t begin, size_t end) {
      const auto width = static_cast<size_t>(kernel->nr);
      for (size_t panel = 0; panel < kernel->panel_count(product.n); ++panel) {
        const size_t column = panel * width;
        pack(*kernel, product, reinterpret_cast<const T*>(source) + column, row(end) - row(begin), product.n - column,
             1, reinterpret_cast<T*>(dst) + panel * kernel->panel_size(product.k) + row(begin) * width);
      }
    };
    const size_t units = (product_.k + kRows - 1) / kRows;
    const auto before = [=, first = matrices_[0], stride = static_cast<size_t>(product_.b_row_stride),
                         all = constant_bytes()](size_t unit) {
      return unit < units ? (first + row(unit) * stride) * sizeof(T) : all;
    };
    return {units, pack_units, before};
  }

  // Units are a few panels of one of the matrices.
  Packing packing_of_panels() const {
    constexpr size_t kPanels = 8;
    const size_t panels = kernel_.panel_count(product_.n);
    const size_t units = std::max<size_t>(1, ceil_div(panels, kPanels));  // of a matrix
    const auto before = [=, product = product_, matrices = matrices_,
                         width = static_cast<size_t>(kernel_.nr)](size_t unit) {
      const size_t column = std::min(product.n, unit % units * kPanels * width);
      return (matrices[unit / units] + column * static_cast<size_t>(product.b_col_stride)) * sizeof(T);
    };
    const bool in_order = product_.b_row_stride == 1 && matrices_.size() == 1;
    const auto pack_units = [=, kernel = &kernel_, product = product_, size = packed_size_](
                                const std::byte* source, std::byte* dst, size_t begin, size_t end) {
      const size_t skipped = in_order ? before(begin) : 0;
      for (size_t unit = begin; unit < end; ++unit) {
        const size_t panel = unit % units * kPanels;
        pack(*kernel, product, reinterpret_cast<const T*>(source + (before(unit) - skipped)), product.k,
             product.n - panel * static_cast<size_t>(kernel->nr), std::min(kPanels, panels - panel),
             reinterpret_cast<T*>(dst) + unit / units * size + panel * kernel->panel_size(product.k));
      }
    };
    Packing packing = {units * matrices_.size(), pack_units};
    if (in_order) {
      packing.before = [=, all = constant_bytes()](size_t unit) { return unit < units ? before(unit) : all; };
    }
    return packing;
  }

  void add_packing(const ProductOperands<T>& operands) {
    const auto panels = static_cast<int64_t>(kernel_.panel_count(product_.n));
    const double cost = static_cast<double>(product_.k) * kernel_.nr * 0.3;
    context_.phase(panels * static_cast<int64_t>(matrices_.size()), cost,
                   [=, this_kernel = &kernel_, matrices = matrices_](const TileContext& tile) {
                     const auto matrix = static_cast<size_t>(tile.tile / panels);
                     const auto panel = static_cast<size_t>(tile.tile % panels);
                     const MatrixMultiply& product = operands.product;
                     const size_t column = panel * static_cast<size_t>(this_kernel->nr);
                     const T* b = operands.wide.input(tile, 1) + matrices[matrix];
                     pack(*this_kernel, product, b + static_cast<ptrdiff_t>(column) * product.b_col_stride, product.k,
                          product.n - column, 1,
                          reinterpret_cast<T*>(tile.shared + operands.packed) + matrix * operands.packed_size +
                              panel * this_kernel->panel_size(product.k));
                   });
  }

  // The index of each product's B among the packed matrices.
  std::vector<size_t> matrix_of_product() const {
    std::vector<size_t> indices;
    for (const size_t offset : product_.b_offsets) {
      indices.push_back(
          static_cast<size_t>(std::lower_bound(matrices_.begin(), matrices_.end(), offset) - matrices_.begin()));
    }
    return indices;
  }

  // Those of the matrix unit, for one product.
  const SplitGemmKernels* split_kernels() const {
    if (!std::is_same_v<T, float> || product_.a_offsets.size() != 1) return nullptr;
    return split_product_kernels(context_, product_.m, product_.n, product_.k);
  }

  // A few rows are not worth packing a computed B. The chains of their sums are the same.
  bool can_read_directly() const {
    constexpr size_t kFewRows = 8;
    return std::is_same_v<T, float> && product_.m <= kFewRows && product_.alpha == 1 && product_.a_col_stride == 1 &&
           product_.b_col_stride == 1;
  }

  void add_direct_products(const ProductOperands<float>& operands) {
    constexpr double kTileElements = 1 << 17;  // of B
    constexpr size_t kUnit = 64;               // columns of B
    const double elements = static_cast<double>(product_.n) * static_cast<double>(product_.k);
    const auto wanted = static_cast<size_t>(std::clamp(elements / kTileElements, 1.0, 64.0));
    const size_t columns = align_up(ceil_div(std::max<size_t>(1, product_.n), wanted), kUnit);
    const size_t parts = ceil_div(product_.n, columns);
    const size_t scratch = context_.scratch(product_.m * columns * sizeof(float));
    const double cost = multiplies(1) * (kNanosecondsPerWeight + static_cast<double>(product_.m) * 0.05) /
                        static_cast<double>(std::max<size_t>(1, parts));
    context_.phase(static_cast<int64_t>(parts * product_.a_offsets.size()), cost,
                   [=, epilogue_row = epilogue_row_f32()](const TileContext& tile) {
                     const size_t index = static_cast<size_t>(tile.tile) / parts;
                     const size_t column = static_cast<size_t>(tile.tile) % parts * columns;
                     const size_t n = std::min(columns, operands.product.n - column);
                     const GemmArgs args = operands(tile, index);
                     const float* b = operands.wide.input(tile, 1) + operands.product.b_offsets[index] + column;
                     auto* sums = reinterpret_cast<float*>(tile.scratch + scratch);
                     std::fill_n(sums, args.m * n, 0.0F);
                     attention_kernels().weigh(args.a, args.a_row_stride, args.m, b, operands.product.b_row_stride,
                                               args.k, n, sums);
                     const Epilogue& epilogue = args.epilogue;
                     for (size_t i = 0; i < args.m; ++i, sums += n) {
                       for (size_t j = 0; epilogue.bias && j < n; ++j) sums[j] += epilogue.bias[column + j];
                       const size_t at = i * args.n + column;
                       epilogue_row(sums, epilogue.residual ? epilogue.residual + at : nullptr, n, epilogue.steps,
                                    epilogue.step_count);
                       std::copy_n(sums, n, args.c + at);
                     }
                   });
  }

  void add_products(const ProductOperands<T>& operands) {
    const bool one_thread = context_.options().one_thread;
    const GemmTiling tiling = gemm_tiling(product_.m, product_.n, product_.k, kernel_.mr, kernel_.nr, one_thread);
    const auto tiles = static_cast<int64_t>(tiling.tile_count());
    const double cost =
        std::max(multiplies(product_.m) * kNanosecondsPerMultiply, multiplies(1) * kNanosecondsPerWeight) /
        static_cast<double>(std::max<int64_t>(1, tiles));
    context_.phase(tiles * static_cast<int64_t>(product_.a_offsets.size()), cost,
                   [=, this_kernel = &kernel_](const TileContext& tile) {
                     const GemmArgsOf<T> args = operands(tile, static_cast<size_t>(tile.tile / tiles));
                     run_gemm_tile(*this_kernel, args, tiling, static_cast<size_t>(tile.tile % tiles), tile.backwards);
                   });
    constexpr size_t kFewRows = 16;
    if (product_.m <= kFewRows) context_.alternate();
  }

  double multiplies(size_t rows) const {
    return static_cast<double>(rows) * static_cast<double>(product_.n) *
           static_cast<double>(std::max<size_t>(1, product_.k));
  }

  PlanContext& context_;
  const MatrixMultiply& product_;
  const GemmKernelsOf<T>& kernel_;
  std::vector<size_t> matrices_;
  size_t packed_size_ = 0;  // elements of a packed matrix
};

template <class T>
void plan_integers(PlanContext& context, const MatrixMultiply& product) {
  const auto rows = static_cast<int64_t>(product.a_offsets.size() * product.m);
  const double cost = static_cast<double>(product.n * std::max<size_t>(1, product.k));
  context.range(rows, cost, [product](const TileContext& tile, int64_t begin, int64_t end) {
    using Wide = std::make_unsigned_t<T>;
    for (int64_t row = begin; row < end; ++row) {
      const size_t index = static_cast<size_t>(row) / product.m;
      const T* a = tile.input<T>(0) + product.a_offsets[index] +
                   static_cast<ptrdiff_t>(static_cast<size_t>(row) % product.m) * product.a_row_stride;
      const T* b = tile.input<T>(1) + product.b_offsets[index];
      T* c = tile.output<T>(0) + static_cast<size_t>(row) * product.n;
      for (size_t j = 0; j < product.n; ++j) {
        Wide sum = 0;
        for (size_t p = 0; p < product.k; ++p) {
          const auto step = static_cast<ptrdiff_t>(p);
          sum += static_cast<Wide>(a[step * product.a_col_stride]) *
                 static_cast<Wide>(b[step * product.b_row_stride + static_cast<ptrdiff_t>(j) * product.b_col_stride]);
        }
        if (product.alpha != 1)
          sum = static_cast<Wide>(
              static_cast<T>(static_cast<double>(product.alpha) * static_cast<double>(static_cast<T>(sum))));
        c[j] = static_cast<T>(product.bias ? sum + static_cast<Wide>(tile.input<T>(*product.bias)[j]) : sum);
      }
    }
  });
  context.implementation("integers");
}

}  // namespace

void plan_matrix_multiply(PlanContext& context, const MatrixMultiply& product) {
  const DType dtype = context.input(0).dtype;
  if (dtype == DType::float64) return PackedProduct<double>(context, product).plan();
  if (kFloats.contains(dtype)) return PackedProduct<float>(context, product).plan();
  dispatch_dtype<int32_t, int64_t, uint32_t, uint64_t>(dtype, [&]<class T>() { plan_integers<T>(context, product); });
}

}  // namespace onnxrun::ops
