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
  size_t row_bytes() const {
    return matrices_.order.empty() ? int_gemm_kernels().row_bytes(k_) : matrices_.order.size() * sizeof(int16_t);
  }
  size_t unit_bytes() const { return panels_ ? int_gemm_kernels().panel_bytes(k_) : step() * row_bytes(); }
  // Of one packed matrix.
  size_t bytes() const { return unit_count() * unit_bytes(); }

  // Packs one unit of one matrix to its place in `dst`.
  void pack(const void* data, const void* zeros, size_t matrix, size_t unit, std::byte* dst) const {
    const size_t first = unit * step();
    const size_t count = std::min(step(), extent_ - first);
    const size_t begin = matrices_.offsets[matrix] + first * (panels_ ? 1 : static_cast<size_t>(matrices_.row_stride));
    const Int8Matrix source = {static_cast<const uint8_t*>(data) + begin, is_signed_, matrices_.row_stride, 1};
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
    } else if (is_signed_) {
      pack_in_order<int8_t>(source, zero, count, reinterpret_cast<int16_t*>(to));
    } else {
      pack_in_order<uint8_t>(source, zero, count, reinterpret_cast<int16_t*>(to));
    }
  }

  // A name for what the packed form depends on beside the constant itself.
  std::string format(const Tensor* zeros) const {
    std::string text = panels_ ? "int8 panels" : "int8 rows";
    for (const size_t value :
         {extent_, k_, static_cast<size_t>(matrices_.row_stride), int_gemm_kernels().nr, int_gemm_kernels().group}) {
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
  template <class T>
  void pack_in_order(const Int8Matrix& source, const void* zeros, size_t rows, int16_t* dst) const {
    for (size_t i = 0; i < rows; ++i) {
      const T* row = static_cast<const T*>(source.data) + static_cast<ptrdiff_t>(i) * source.row_stride;
      const int zero = zeros ? static_cast<const T*>(zeros)[static_cast<ptrdiff_t>(i) * matrices_.zero_step] : 0;
      for (const int64_t at : matrices_.order) *dst++ = static_cast<int16_t>(at < 0 ? 0 : row[at] - zero);
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
  // Packs constants now, and plans a phase for others.
  Packed place(const Packing& packing, const IntegerMatrices& matrices, std::vector<std::function<void()>>& phases) {
    const size_t input = matrices.input;
    const std::optional<size_t> zero_input = matrices.zero_input;
    const Tensor* zeros = zero_input ? context_.elements(*zero_input) : nullptr;
    const size_t bytes = packing.matrix_count() * packing.bytes();
    if (context_.is_constant(input) && (zeros || !zero_input)) {
      auto pack_all = [&](const Tensor& tensor, std::byte* dst) {
        for (size_t matrix = 0; matrix < packing.matrix_count(); ++matrix) {
          for (size_t unit = 0; unit < packing.unit_count(); ++unit) {
            packing.pack(tensor.data(), zeros ? zeros->data() : nullptr, matrix, unit, dst);
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
            const auto* image =
                reinterpret_cast<const int16_t*>(tile.shared) + 2 * (matrix * product.windows->image_pairs + column);
            kernels->run_spread(reinterpret_cast<const int16_t*>(a), image, product.windows->taps.data(), m, n,
                                product.windows->taps.size(), c, static_cast<ptrdiff_t>(stride));
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
