#include "ops/support/integer_product.h"

#include <algorithm>
#include <functional>
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

  const std::byte* at(const TileContext& tile, size_t offset) const {
    return (constant ? constant : tile.shared + shared_offset) + offset;
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
  size_t row_bytes() const { return int_gemm_kernels().row_bytes(k_); }
  size_t unit_bytes() const { return panels_ ? int_gemm_kernels().panel_bytes(k_) : step() * row_bytes(); }
  // Of one packed matrix.
  size_t bytes() const { return unit_count() * unit_bytes(); }

  // Packs one unit of one matrix to its place in `dst`.
  void pack(const void* data, const void* zeros, size_t matrix, size_t unit, std::byte* dst) const {
    const size_t first = unit * step();
    const size_t count = std::min(step(), extent_ - first);
    const size_t begin =
        matrices_.offsets[matrix] + first * static_cast<size_t>(panels_ ? matrices_.col_stride : matrices_.row_stride);
    const Int8Matrix source = {static_cast<const uint8_t*>(data) + begin, is_signed_, matrices_.row_stride,
                               matrices_.col_stride};
    const void* zero = nullptr;
    if (zeros) {
      zero = static_cast<const uint8_t*>(zeros) + matrices_.zero_offsets[matrix] +
             static_cast<ptrdiff_t>(first) * matrices_.zero_step;
    }
    std::byte* to = dst + matrix * bytes() + unit * unit_bytes();
    if (panels_) {
      int_gemm_kernels().pack_panel(source, zero, matrices_.zero_step, k_, count, to);
    } else if (matrices_.order.empty()) {
      int_gemm_kernels().pack_rows(source, zero, matrices_.zero_step, count, k_, to);
    } else {
      pack_in_order(source, static_cast<const uint8_t*>(zero), count, to);
    }
  }

  // A name for what the packed form depends on beside the constant itself.
  std::string format(const Tensor* zeros) const {
    std::string text = panels_ ? "int8 panels" : "int8 rows";
    for (const size_t value :
         {extent_, k_, static_cast<size_t>(matrices_.row_stride), static_cast<size_t>(matrices_.col_stride),
          int_gemm_kernels().nr, int_gemm_kernels().group}) {
      text += " " + std::to_string(value);
    }
    for (const size_t offset : matrices_.offsets) text += " " + std::to_string(offset);
    if (!matrices_.order.empty()) text += " in pairs of " + std::to_string(matrices_.order[1]);
    if (!zeros) return text;
    text += " less";
    for (const size_t offset : matrices_.zero_offsets) text += " " + std::to_string(offset);
    return text + " " + std::to_string(matrices_.zero_step) + " " +
           std::string(static_cast<const char*>(zeros->data()), zeros->bytes());
  }

 private:
  void pack_in_order(const Int8Matrix& source, const uint8_t* zeros, size_t rows, std::byte* dst) const {
    std::vector<uint8_t> row(matrices_.order.size());
    for (size_t i = 0; i < rows; ++i) {
      const uint8_t* src = static_cast<const uint8_t*>(source.data) + static_cast<ptrdiff_t>(i) * source.row_stride;
      const uint8_t zero = zeros ? zeros[static_cast<ptrdiff_t>(i) * matrices_.zero_step] : uint8_t{0};
      for (size_t p = 0; p < row.size(); ++p) row[p] = matrices_.order[p] < 0 ? zero : src[matrices_.order[p]];
      int_gemm_kernels().pack_rows({row.data(), is_signed_}, &zero, 0, 1, k_, dst + i * row_bytes());
    }
  }

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
  // Packs constants, and plans a phase for others.
  Packed place(const Packing& packing, const IntegerMatrices& matrices, std::vector<std::function<void()>>& phases) {
    const size_t input = matrices.input;
    const std::optional<size_t> zero_input = matrices.zero_input;
    const Tensor* zeros = zero_input ? context_.elements(*zero_input) : nullptr;
    const size_t bytes = packing.matrix_count() * packing.bytes();
    if (context_.is_constant(input) && (zeros || !zero_input)) {
      const size_t units = packing.unit_count();
      auto pack_units = [packing, units, zeros = zeros ? *zeros : Tensor()](const std::byte* source, std::byte* dst,
                                                                            size_t begin, size_t end) {
        for (size_t unit = begin; unit < end; ++unit) {
          packing.pack(source, zeros.defined() ? zeros.data() : nullptr, unit / units, unit % units, dst);
        }
      };
      const std::string format = packing.format(zeros);
      return {context_.packed_later(input, format, bytes, {packing.matrix_count() * units, std::move(pack_units)}), 0};
    }
    const Packed packed = {nullptr, shared_};
    shared_ = align_up(shared_ + bytes, kAlignment);
    phases.emplace_back([this, packing, packed, input, zero_input] {
      const size_t units = packing.unit_count();
      context_.phase(static_cast<int64_t>(packing.matrix_count() * units),
                     static_cast<double>(packing.unit_bytes()) * 0.2, [=](const TileContext& tile) {
                       const auto index = static_cast<size_t>(tile.tile);
                       packing.pack(tile.input(input), zero_input ? tile.input(*zero_input) : nullptr, index / units,
                                    index % units, tile.shared + packed.shared_offset);
                     });
    });
    return packed;
  }

  void add_products(const Packed& rows, const Packed& panels) {
    const IntGemmKernels* kernels = &int_gemm_kernels();
    const GemmTiling tiles =
        gemm_tiling(product_.m, product_.n, product_.k, static_cast<int>(kernels->mr), static_cast<int>(kernels->nr));
    const size_t columns = std::min(tiles.panel_tile * kernels->nr, product_.n);
    // Windows are gathered a few panels at a time, which stay in the first level cache.
    constexpr size_t kGatheredBytes = size_t{16} << 10;
    const size_t panel_bytes = kernels->panel_bytes(product_.k);
    const size_t gathered_panels = std::clamp<size_t>(kGatheredBytes / panel_bytes, 1, tiles.panel_tile);
    const size_t gathered_at = product_.windows ? context_.scratch(gathered_panels * panel_bytes) : 0;
    const size_t sums_at = product_.store ? context_.scratch(tiles.m_tile * columns * sizeof(int32_t)) : 0;
    const double cost = static_cast<double>(tiles.m_tile * columns * product_.k) * kNanosecondsPerMultiply + 100;
    context_.phase(
        static_cast<int64_t>(tiles.tile_count() * product_.a_matrix.size()), cost,
        [=, product = product_, matrix_bytes = rows_.bytes(), row_bytes = rows_.row_bytes()](const TileContext& tile) {
          const size_t index = static_cast<size_t>(tile.tile) / tiles.tile_count();
          const size_t part = static_cast<size_t>(tile.tile) % tiles.tile_count();
          const size_t row = part % tiles.m_tiles * tiles.m_tile;
          const size_t m = std::min(tiles.m_tile, product.m - row);
          const size_t panel = part / tiles.m_tiles * tiles.panel_tile;
          const size_t column = panel * kernels->nr;
          const size_t n = std::min(tiles.panel_tile * kernels->nr, product.n - column);
          const std::byte* a = rows.at(tile, product.a_matrix[index] * matrix_bytes + row * row_bytes);
          auto* c = reinterpret_cast<int32_t*>(tile.scratch + sums_at);
          size_t stride = n;
          if (!product.store) {
            c = tile.output<int32_t>(0) + (index * product.m + row) * product.n + column;
            stride = product.n;
          }
          const size_t matrix = product.b_matrix[index];
          if (product.windows) {
            const IntegerWindows& windows = *product.windows;
            const auto* image = reinterpret_cast<const int8_t*>(tile.shared) +
                                (matrix * windows.image_groups + column) * kernels->group;
            const int32_t zero = windows.zero(tile);
            std::byte* gathered = tile.scratch + gathered_at;
            for (size_t j = 0; j < n; j += gathered_panels * kernels->nr) {
              const size_t some = std::min(gathered_panels * kernels->nr, n - j);
              for (size_t p = 0; p < kernels->panel_count(some); ++p) {
                kernels->gather_panel(image + (j + p * kernels->nr) * kernels->group, windows.taps.data(),
                                      windows.taps.size(), zero, gathered + p * panel_bytes);
              }
              kernels->run(a, gathered, m, some, product.k, c + j, static_cast<ptrdiff_t>(stride));
            }
          } else {
            const size_t first = matrix * kernels->panel_count(product.n) + panel;
            kernels->run(a, panels.at(tile, first * kernels->panel_bytes(product.k)), m, n, product.k, c,
                         static_cast<ptrdiff_t>(stride));
          }
          if (!product.store) return;
          for (size_t i = 0; i < m; ++i) store_row(product, tile, c + i * n, index, row + i, column, n);
        });
  }

  // Gives the sums to the operator, of windows those that are wanted.
  static void store_row(const IntegerProduct& product, const TileContext& tile, int32_t* sums, size_t index, size_t row,
                        size_t column, size_t n) {
    if (!product.windows) return product.store(tile, sums, index, row, column, n);
    const std::vector<size_t>& begins = product.windows->run_begins;
    const size_t length = product.windows->run_length;
    auto run = std::upper_bound(begins.begin(), begins.end(), column);
    if (run != begins.begin()) --run;
    size_t wanted = 0;  // the first of those that are wanted
    size_t count = 0;   // they move to the front of the sums
    for (; run != begins.end() && *run < column + n; ++run) {
      const size_t first = std::max(column, *run);
      const size_t last = std::min(column + n, *run + length);
      if (first >= last) continue;
      if (count == 0) wanted = static_cast<size_t>(run - begins.begin()) * length + first - *run;
      std::copy(sums + (first - column), sums + (last - column), sums + count);
      count += last - first;
    }
    if (count > 0) product.store(tile, sums, index, row, wanted, count);
  }

  PlanContext& context_;
  const IntegerProduct& product_;
  size_t shared_;
  Packing rows_;
};

}  // namespace

void plan_integer_product(PlanContext& context, const IntegerProduct& product) { Planner(context, product).plan(); }

}  // namespace onnxrun::ops
