#include "ops/support/integer_product.h"

#include <algorithm>
#include <string>

#include "base/aligned_buffer.h"
#include "base/checked.h"
#include "kernels/gemm/gemm.h"
#include "kernels/int_gemm/int_gemm.h"

namespace onnxrun::ops {
namespace {

constexpr double kNanosecondsPerMultiply = 0.01;

// Where packed operands are found: at a fixed address, or in the step's shared memory.
struct Packed {
  const std::byte* constant = nullptr;
  size_t shared_offset = 0;

  const int16_t* at(const TileContext& tile, size_t element) const {
    return reinterpret_cast<const int16_t*>(constant ? constant : tile.shared + shared_offset) + element;
  }
};

// How the matrices of one factor are packed: in units of a few rows, or of one panel of columns.
class Packing {
 public:
  Packing(const PlanContext& context, const IntegerMatrices& matrices, bool panels, size_t extent, size_t k)
      : matrices_(matrices),
        is_signed_(context.input(matrices.input).dtype == DType::int8),
        panels_(panels),
        extent_(extent),
        k_(k) {}

  size_t matrix_count() const { return matrices_.offsets.size(); }
  size_t unit_count() const { return (extent_ + step() - 1) / step(); }
  size_t unit_elements() const { return step() * IntGemmKernels::padded_k(k_); }
  // Elements of one packed matrix.
  size_t elements() const { return unit_count() * unit_elements(); }

  // Packs one unit of one matrix to its place in `dst`.
  void pack(const void* data, const void* zeros, size_t matrix, size_t unit, int16_t* dst) const {
    const size_t first = unit * step();
    const size_t count = std::min(step(), extent_ - first);
    const size_t begin = matrices_.offsets[matrix] + first * (panels_ ? 1 : static_cast<size_t>(matrices_.row_stride));
    const Int8Matrix source = {static_cast<const uint8_t*>(data) + begin, is_signed_, matrices_.row_stride, 1};
    const void* zero = nullptr;
    if (zeros) {
      zero = static_cast<const uint8_t*>(zeros) + matrices_.zero_offsets[matrix] +
             static_cast<ptrdiff_t>(first) * matrices_.zero_step;
    }
    int16_t* to = dst + matrix * elements() + unit * unit_elements();
    if (panels_) {
      int_gemm_kernels().pack_panel(source, zero, matrices_.zero_step, k_, count, to);
    } else {
      int_gemm_kernels().pack_rows(source, zero, matrices_.zero_step, count, k_, to);
    }
  }

  // A name for what the packed form depends on beside the constant itself.
  std::string format(const Tensor* zeros) const {
    std::string text = panels_ ? "int8 panels" : "int8 rows";
    for (const size_t value : {extent_, k_, static_cast<size_t>(matrices_.row_stride), int_gemm_kernels().nr}) {
      text += " " + std::to_string(value);
    }
    for (const size_t offset : matrices_.offsets) text += " " + std::to_string(offset);
    if (!zeros) return text;
    text += " less";
    for (const size_t offset : matrices_.zero_offsets) text += " " + std::to_string(offset);
    return text + " " + std::to_string(matrices_.zero_step) + " " +
           std::string(static_cast<const char*>(zeros->data()), zeros->bytes());
  }

 private:
  // Rows of a unit are whole register tiles.
  size_t step() const { return panels_ ? int_gemm_kernels().nr : 4 * int_gemm_kernels().mr; }

  IntegerMatrices matrices_;
  bool is_signed_;
  bool panels_;
  size_t extent_;
  size_t k_;
};

class Planner {
 public:
  Planner(PlanContext& context, const IntegerProduct& product)
      : context_(context),
        product_(product),
        shared_(align_up(product.shared_bytes, kAlignment)),
        rows_(context, product.a, false, product.m, product.k) {}

  void plan() {
    std::vector<std::function<void()>> packing;
    const Packed rows = place(rows_, product_.a, packing);
    Packed panels;
    if (product_.b) panels = place(Packing(context_, *product_.b, true, product_.n, product_.k), *product_.b, packing);
    context_.share(shared_);
    for (const auto& add : packing) add();
    add_products(rows, panels);
    context_.implementation(product_.windows ? "int8 windows" : "int8");
  }

 private:
  // Packs constants now, and plans a phase for others.
  Packed place(const Packing& packing, const IntegerMatrices& matrices, std::vector<std::function<void()>>& phases) {
    const size_t input = matrices.input;
    const std::optional<size_t> zero_input = matrices.zero_input;
    const Tensor* zeros = zero_input ? context_.constant(*zero_input) : nullptr;
    const size_t bytes = packing.matrix_count() * packing.elements() * sizeof(int16_t);
    if (context_.constant(input) && (zeros || !zero_input)) {
      auto pack_all = [&](const Tensor& tensor, std::byte* dst) {
        for (size_t matrix = 0; matrix < packing.matrix_count(); ++matrix) {
          for (size_t unit = 0; unit < packing.unit_count(); ++unit) {
            packing.pack(tensor.data(), zeros ? zeros->data() : nullptr, matrix, unit, reinterpret_cast<int16_t*>(dst));
          }
        }
      };
      return {context_.packed(input, packing.format(zeros), bytes, pack_all), 0};
    }
    const Packed packed = {nullptr, shared_};
    shared_ = align_up(shared_ + bytes, kAlignment);
    phases.emplace_back([this, packing, packed, input, zero_input] {
      const size_t units = packing.unit_count();
      context_.phase(static_cast<int64_t>(packing.matrix_count() * units),
                     static_cast<double>(packing.unit_elements()) * 0.3, [=](const TileContext& tile) {
                       const auto index = static_cast<size_t>(tile.tile);
                       packing.pack(tile.input(input), zero_input ? tile.input(*zero_input) : nullptr, index / units,
                                    index % units, reinterpret_cast<int16_t*>(tile.shared + packed.shared_offset));
                     });
    });
    return packed;
  }

  // Tiles of the products' rows and panels.
  GemmTiling tiling() const {
    const IntGemmKernels& kernels = int_gemm_kernels();
    const size_t products = product_.a_matrix.size();
    if (!product_.windows) {
      return gemm_tiling(product_.m, product_.n, product_.k, static_cast<int>(kernels.mr),
                         static_cast<int>(kernels.nr));
    }
    // Each tile gathers its windows: better few columns and all rows, while there are tiles enough.
    constexpr size_t kMaxPanelBytes = size_t{192} * 1024;
    constexpr size_t kMaxRows = 512;
    constexpr size_t kWantedTiles = 8;
    const size_t panels = kernels.panel_count(product_.n);
    GemmTiling tiling;
    const size_t fitting =
        std::max<size_t>(1, kMaxPanelBytes / std::max<size_t>(1, kernels.panel_elements(product_.k) * sizeof(int16_t)));
    tiling.panel_tile = std::clamp<size_t>(panels * products / kWantedTiles, 1, fitting);
    tiling.panel_tiles = (panels + tiling.panel_tile - 1) / tiling.panel_tile;
    const size_t parts = std::clamp<size_t>(kWantedTiles / std::max<size_t>(1, tiling.panel_tiles * products), 1, 4);
    const size_t rows = std::min((product_.m + parts - 1) / parts, kMaxRows);
    tiling.m_tile = std::max<size_t>(1, align_up(rows, kernels.mr));
    tiling.m_tiles = (product_.m + tiling.m_tile - 1) / tiling.m_tile;
    return tiling;
  }

  // Gathers panels [begin, end) of the windows of one image.
  static void gather(const IntegerWindows& windows, const int16_t* image, size_t begin, size_t end, int16_t* dst) {
    const IntGemmKernels& kernels = int_gemm_kernels();
    const size_t nr = kernels.nr;
    static constexpr int16_t kZeros[64] = {};
    for (size_t panel = begin; panel < end; ++panel) {
      const size_t first = panel * nr;
      const size_t count = std::min(nr, windows.columns.size() - first);
      const int64_t* columns = windows.columns.data() + first;
      for (size_t p = 0; p < windows.taps.size(); p += 2, dst += 2 * nr) {
        const int16_t* even = image + windows.taps[p];
        const bool is_pair = p + 1 < windows.taps.size();
        const int16_t* odd = is_pair ? image + windows.taps[p + 1] : kZeros;
        for (size_t j = 0; j < count;) {
          size_t run = 1;
          while (j + run < count && columns[j + run] == columns[j] + static_cast<int64_t>(run)) ++run;
          kernels.interleave(even + columns[j], is_pair ? odd + columns[j] : kZeros, run, dst + 2 * j);
          j += run;
        }
        std::fill(dst + 2 * count, dst + 2 * nr, int16_t{0});
      }
    }
  }

  void add_products(const Packed& rows, const Packed& panels) {
    const GemmTiling tiles = tiling();
    const size_t nr = int_gemm_kernels().nr;
    const size_t panel_elements = int_gemm_kernels().panel_elements(product_.k);
    const size_t columns = std::min(tiles.panel_tile * nr, product_.n);
    const size_t sums_at = product_.store ? context_.scratch(tiles.m_tile * columns * sizeof(int32_t)) : 0;
    const size_t windows_at =
        product_.windows ? context_.scratch(tiles.panel_tile * panel_elements * sizeof(int16_t)) : 0;
    const auto per_product = tiles.tile_count();
    const double cost = static_cast<double>(tiles.m_tile * columns * product_.k) * kNanosecondsPerMultiply + 100;
    context_.phase(
        static_cast<int64_t>(per_product * product_.a_matrix.size()), cost,
        [=, product = product_, row_elements = rows_.elements()](const TileContext& tile) {
          const IntGemmKernels& kernels = int_gemm_kernels();
          const size_t index = static_cast<size_t>(tile.tile) / per_product;
          const size_t part = static_cast<size_t>(tile.tile) % per_product;
          const size_t row = part % tiles.m_tiles * tiles.m_tile;
          const size_t m = std::min(tiles.m_tile, product.m - row);
          const size_t panel = part / tiles.m_tiles * tiles.panel_tile;
          const size_t panel_end = std::min(panel + tiles.panel_tile, kernels.panel_count(product.n));
          const size_t column = panel * nr;
          const size_t n = std::min(panel_end * nr, product.n) - column;
          const size_t matrix = product.b_matrix[index];

          const int16_t* b = nullptr;
          if (product.windows) {
            auto* gathered = reinterpret_cast<int16_t*>(tile.scratch + windows_at);
            const auto* images = reinterpret_cast<const int16_t*>(tile.shared + product.windows->shared_offset);
            gather(*product.windows, images + matrix * product.windows->image_elements, panel, panel_end, gathered);
            b = gathered;
          } else {
            b = panels.at(tile, (matrix * kernels.panel_count(product.n) + panel) * panel_elements);
          }
          const int16_t* a =
              rows.at(tile, product.a_matrix[index] * row_elements + row * IntGemmKernels::padded_k(product.k));
          if (!product.store) {
            int32_t* c = tile.output<int32_t>(0) + (index * product.m + row) * product.n + column;
            return kernels.run(a, b, m, n, product.k, c, static_cast<ptrdiff_t>(product.n));
          }
          auto* sums = reinterpret_cast<int32_t*>(tile.scratch + sums_at);
          kernels.run(a, b, m, n, product.k, sums, static_cast<ptrdiff_t>(n));
          for (size_t i = 0; i < m; ++i) product.store(tile, sums + i * n, index, row + i, column, n);
        });
  }

  PlanContext& context_;
  const IntegerProduct& product_;
  size_t shared_;
  Packing rows_;
};

}  // namespace

void plan_integer_product(PlanContext& context, const IntegerProduct& product) { Planner(context, product).plan(); }

}  // namespace onnxrun::ops
