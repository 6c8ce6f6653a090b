#include "ops/support/contraction.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/aligned_buffer.h"
#include "base/checked.h"
#include "base/dispatch_dtype.h"
#include "kernels/gemm/gemm.h"
#include "onnxrun/error.h"
#include "ops/support/strided_loop.h"

namespace onnxrun::ops {
namespace {

using Labels = std::vector<size_t>;

constexpr int64_t kPiece = 512;     // elements of a row that are summed side by side
constexpr int64_t kMinColumns = 8;  // of a product that is worth packing
constexpr int64_t kMinInner = 4;    // elements of its sums
constexpr double kNanosecondsPerMultiply = 0.01;

bool contains(const Labels& labels, size_t label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

// A tensor with one stride, in elements, for each of its names; where it lies is an input or the shared memory.
struct Operand {
  Labels labels;
  std::vector<ptrdiff_t> strides;
  DType dtype = DType::undefined;
  bool is_input = false;
  size_t place = 0;  // the input, or bytes of the shared memory

  ptrdiff_t stride(size_t label) const {
    for (size_t k = 0; k < labels.size(); ++k) {
      if (labels[k] == label) return strides[k];
    }
    return 0;
  }
  template <class T>
  const T* data(const TileContext& tile) const {
    return is_input ? tile.input<T>(place) : reinterpret_cast<const T*>(tile.shared + place);
  }
};

// Neighbouring axes as one: extent and stride.
struct MergedAxis {
  int64_t extent = 1;
  ptrdiff_t stride = 1;
};

// Sums run in W.
template <class W>
class Planner {
 public:
  Planner(PlanContext& context, const Contraction& contraction) : context_(context), contraction_(contraction) {}

  void plan() {
    std::vector<Operand> operands;
    for (size_t i = 0; i < contraction_.inputs.size(); ++i) operands.push_back(input(i));
    Operand result = operands[0];
    for (size_t i = 1; i < operands.size(); ++i) {
      Labels needed = contraction_.output;
      for (size_t k = i + 1; k < operands.size(); ++k) {
        for (const size_t label : operands[k].labels) {
          if (!contains(needed, label)) needed.push_back(label);
        }
      }
      result = contract(result, operands[i], needed, i + 1 == operands.size());
    }
    write_output(result);
    context_.share(shared_bytes_);
  }

 private:
  int64_t extent(size_t label) const { return contraction_.extents[label]; }
  int64_t elements(const Labels& labels) const {
    int64_t count = 1;
    for (const size_t label : labels) {
      if (!checked_mul(count, extent(label), count)) throw Error(ErrorCode::limit, "an intermediate is too large");
    }
    return count;
  }

  Operand input(size_t i) const {
    const TensorType& type = context_.input(i);
    Operand operand;
    operand.dtype = type.dtype;
    operand.is_input = true;
    operand.place = i;
    const auto strides = row_major_strides(type.shape);
    for (size_t axis = 0; axis < type.shape.rank(); ++axis) {
      const size_t label = contraction_.inputs[i][axis];
      const ptrdiff_t stride = type.shape[axis] == 1 ? 0 : strides[axis];
      const auto at = std::find(operand.labels.begin(), operand.labels.end(), label);
      if (at == operand.labels.end()) {
        operand.labels.push_back(label);
        operand.strides.push_back(stride);
      } else {
        operand.strides[static_cast<size_t>(at - operand.labels.begin())] += stride;
      }
    }
    return operand;
  }

  // A dense tensor in the shared memory.
  Operand intermediate(const Labels& labels) {
    Operand operand;
    operand.labels = labels;
    operand.dtype = kDTypeOf<W>;
    operand.place = shared_bytes_;
    int64_t bytes = 0;
    if (!checked_mul(elements(labels), static_cast<int64_t>(sizeof(W)), bytes)) {
      throw Error(ErrorCode::limit, "an intermediate is too large");
    }
    shared_bytes_ = align_up(shared_bytes_ + static_cast<size_t>(bytes), kAlignment);
    operand.strides = dense_strides(labels);
    return operand;
  }

  std::vector<ptrdiff_t> dense_strides(const Labels& labels) const {
    std::vector<ptrdiff_t> strides(labels.size());
    ptrdiff_t stride = 1;
    for (size_t k = labels.size(); k-- > 0;) {
      strides[k] = stride;
      stride *= extent(labels[k]);
    }
    return strides;
  }

  // The axes as one, where the operand steps through them as one.
  std::optional<MergedAxis> merged(const Operand& operand, const Labels& labels) const {
    StridedLoop<1> loop;
    for (const size_t label : labels) loop.add_axis(extent(label), {operand.stride(label)});
    if (loop.axis_count() > 1) return std::nullopt;
    return MergedAxis{loop.inner_extent(), loop.inner_strides()[0]};
  }

  // Plans dst, dense with `labels`, = the sum of src over its other names. `dst` is an intermediate or the output.
  template <class T, class Out, class Target>
  void add_gather(const Operand& src, const Labels& labels, Target target) {
    StridedLoop<2> kept;
    StridedLoop<1> summed;
    const auto strides = dense_strides(labels);
    for (size_t k = 0; k < labels.size(); ++k) kept.add_axis(extent(labels[k]), {src.stride(labels[k]), strides[k]});
    Labels rest;
    for (const size_t label : src.labels) {
      if (!contains(labels, label)) rest.push_back(label);
    }
    for (const size_t label : rest) summed.add_axis(extent(label), {src.stride(label)});
    const int64_t terms = elements(rest);
    const double cost = static_cast<double>(std::min(kPiece, kept.inner_extent()) * std::max<int64_t>(1, terms)) + 5;
    if (elements(labels) == 0) return;
    context_.range(kept.piece_count(kPiece), cost, [=](const TileContext& tile, int64_t begin, int64_t end) {
      const T* from = src.template data<T>(tile);
      Out* to = target(tile);
      kept.for_pieces(begin, end, kPiece, [&](const auto& offsets, int64_t first, int64_t n) {
        const ptrdiff_t step = kept.inner_strides()[0];
        W sums[kPiece] = {};
        const T* row = from + offsets[0] + first * step;
        const auto add = [&](const auto& offset) {
          for (int64_t j = 0; j < n; ++j) sums[j] += static_cast<W>(row[offset[0] + j * step]);
        };
        if (terms > 0) summed.for_outer(0, summed.outer_count(0), add, 0);
        Out* out = to + offsets[1] + first;
        for (int64_t j = 0; j < n; ++j) out[j] = static_cast<Out>(sums[j]);
      });
    });
  }

  Operand gather(const Operand& src, const Labels& labels) {
    Operand result = intermediate(labels);
    const auto target = [place = result.place](const TileContext& tile) {
      return reinterpret_cast<W*>(tile.shared + place);
    };
    dispatch(src.dtype, [&]<class T>() { add_gather<T, W>(src, labels, target); });
    return result;
  }

  void write_output(const Operand& result) {
    if (is_written_) return;
    const auto write = [&]<class T, class Out>() {
      add_gather<T, Out>(result, contraction_.output, [](const TileContext& tile) { return tile.output<Out>(0); });
    };
    dispatch(context_.output(0).dtype, [&]<class Out>() {
      if (result.is_input) return write.template operator()<Out, Out>();
      write.template operator()<W, Out>();
    });
  }

  // The element types of which W is the work type.
  template <class Body>
  static void dispatch(DType dtype, Body&& body) {
    if constexpr (std::is_same_v<W, uint64_t>) {
      dispatch_dtype<IntegerTypes>(dtype, body);
    } else if constexpr (std::is_same_v<W, double>) {
      dispatch_dtype<double>(dtype, body);
    } else {
      dispatch_dtype<float, Half, BFloat16>(dtype, body);
    }
  }

  Operand contract(Operand a, Operand b, const Labels& needed, bool is_last) {
    Labels batch, m, n, k;
    for (const size_t label : needed) {
      const bool in_a = contains(a.labels, label);
      const bool in_b = contains(b.labels, label);
      if (in_a && in_b) batch.push_back(label);
      if (in_a && !in_b) m.push_back(label);
      if (!in_a && in_b) n.push_back(label);
    }
    for (const size_t label : a.labels) {
      if (contains(b.labels, label) && !contains(needed, label)) k.push_back(label);
    }
    const auto joined = [](Labels first, const Labels& second, const Labels& third) {
      first.insert(first.end(), second.begin(), second.end());
      first.insert(first.end(), third.begin(), third.end());
      return first;
    };
    const bool is_swapped = joined(batch, n, m) == contraction_.output && joined(batch, m, n) != contraction_.output;
    if (is_swapped || (elements(n) < kMinColumns && elements(m) >= kMinColumns)) {
      std::swap(a, b);
      std::swap(m, n);
    }
    const bool is_product = !std::is_same_v<W, uint64_t> && elements(n) >= kMinColumns && elements(k) >= kMinInner;
    const auto ready = [&](const Operand& operand, const Labels& rows, const Labels& columns) {
      const Labels wanted = joined(batch, rows, columns);
      bool fits = operand.dtype == kDTypeOf<W> && operand.labels.size() == wanted.size();
      if (fits && is_product) fits = merged(operand, rows) && merged(operand, columns);
      return fits ? operand : gather(operand, wanted);
    };
    a = ready(a, m, k);
    b = ready(b, k, n);
    const Labels result_labels = joined(batch, m, n);
    const bool to_output = is_last && result_labels == contraction_.output && context_.output(0).dtype == kDTypeOf<W>;
    Operand result = to_output ? Operand{} : intermediate(result_labels);
    is_written_ = to_output;
    const auto target = [to_output, place = result.place](const TileContext& tile) {
      return to_output ? tile.output<W>(0) : reinterpret_cast<W*>(tile.shared + place);
    };
    if constexpr (!std::is_same_v<W, uint64_t>) {
      if (is_product) {
        add_products(a, b, batch, m, n, k, target);
        return result;
      }
    }
    add_sums(a, b, result_labels, k, target);
    return result;
  }

  // Where the matrices of each entry of the batch begin.
  std::vector<std::array<ptrdiff_t, 2>> batch_offsets(const Operand& a, const Operand& b, const Labels& batch) const {
    StridedLoop<2> loop;
    for (const size_t label : batch) loop.add_axis(extent(label), {a.stride(label), b.stride(label)});
    std::vector<std::array<ptrdiff_t, 2>> offsets;
    loop.for_outer(
        0, loop.outer_count(0), [&](const auto& offset) { offsets.push_back(offset); }, 0);
    return offsets;
  }

  template <class Target>
  void add_products(const Operand& a, const Operand& b, const Labels& batch, const Labels& m, const Labels& n,
                    const Labels& k, Target target) {
    const auto& kernel = gemm_kernels_of<W>();
    const auto offsets = batch_offsets(a, b, batch);
    GemmArgsOf<W> shape;
    shape.m = static_cast<size_t>(elements(m));
    shape.n = static_cast<size_t>(elements(n));
    shape.k = static_cast<size_t>(elements(k));
    shape.a_row_stride = merged(a, m)->stride;
    shape.a_col_stride = merged(a, k)->stride;
    shape.c_row_stride = static_cast<ptrdiff_t>(shape.n);
    const ptrdiff_t row_stride = merged(b, k)->stride;
    const ptrdiff_t col_stride = merged(b, n)->stride;
    const size_t packed_size = align_up(kernel.packed_b_size(shape.k, shape.n), kAlignment / sizeof(W));
    const size_t packed_at = shared_bytes_;
    const auto entries = static_cast<int64_t>(offsets.size());
    shared_bytes_ += packed_size * offsets.size() * sizeof(W);
    const auto panels = static_cast<int64_t>(kernel.panel_count(shape.n));
    context_.phase(entries * panels, static_cast<double>(shape.k) * kernel.nr * 0.3, [=, &kernel](const auto& tile) {
      const auto entry = static_cast<size_t>(tile.tile / panels);
      const auto panel = static_cast<size_t>(tile.tile % panels);
      kernel.pack_b(b.data<W>(tile) + offsets[entry][1], row_stride, col_stride, shape.k, shape.n, panel, panel + 1,
                    reinterpret_cast<W*>(tile.shared + packed_at) + entry * packed_size);
    });
    const GemmTiling tiling = gemm_tiling(shape.m, shape.n, shape.k, kernel.mr, kernel.nr);
    const auto tiles = static_cast<int64_t>(tiling.tile_count());
    const double multiplies = static_cast<double>(shape.m * shape.n) * static_cast<double>(shape.k);
    context_.phase(entries * tiles,
                   multiplies * kNanosecondsPerMultiply / static_cast<double>(std::max<int64_t>(1, tiles)),
                   [=, &kernel](const TileContext& tile) {
                     const auto entry = static_cast<size_t>(tile.tile / tiles);
                     GemmArgsOf<W> args = shape;
                     args.a = a.data<W>(tile) + offsets[entry][0];
                     args.packed_b = reinterpret_cast<const W*>(tile.shared + packed_at) + entry * packed_size;
                     args.c = target(tile) + entry * shape.m * shape.n;
                     run_gemm_tile(kernel, args, tiling, static_cast<size_t>(tile.tile % tiles));
                   });
    context_.flush_denormals();
    context_.implementation("packed");
  }

  // result, dense, = the sum of a b over `summed`, element by element.
  template <class Target>
  void add_sums(const Operand& a, const Operand& b, const Labels& result, const Labels& summed, Target target) {
    StridedLoop<3> kept;
    StridedLoop<2> terms;
    const auto strides = dense_strides(result);
    for (size_t i = 0; i < result.size(); ++i) {
      kept.add_axis(extent(result[i]), {a.stride(result[i]), b.stride(result[i]), strides[i]});
    }
    for (const size_t label : summed) terms.add_axis(extent(label), {a.stride(label), b.stride(label)});
    const int64_t count = elements(summed);
    if (elements(result) == 0) return;
    const double cost = static_cast<double>(std::min(kPiece, kept.inner_extent()) * std::max<int64_t>(1, count)) + 5;
    context_.range(kept.piece_count(kPiece), cost, [=](const TileContext& tile, int64_t begin, int64_t end) {
      kept.for_pieces(begin, end, kPiece, [&](const auto& offsets, int64_t first, int64_t n) {
        const auto steps = kept.inner_strides();
        const W* x = a.data<W>(tile) + offsets[0] + first * steps[0];
        const W* y = b.data<W>(tile) + offsets[1] + first * steps[1];
        W sums[kPiece] = {};
        const auto add = [&](const auto& at) {
          for (int64_t j = 0; j < n; ++j) sums[j] += x[at[0] + j * steps[0]] * y[at[1] + j * steps[1]];
        };
        if (count > 0) terms.for_outer(0, terms.outer_count(0), add, 0);
        std::copy_n(sums, n, target(tile) + offsets[2] + first);
      });
    });
  }

  PlanContext& context_;
  const Contraction& contraction_;
  size_t shared_bytes_ = 0;
  bool is_written_ = false;
};

}  // namespace

void plan_contraction(PlanContext& context, const Contraction& contraction) {
  context.phase(0, 0, [](const TileContext&) {});
  switch (context.input(0).dtype) {
    case DType::float64:
      return Planner<double>(context, contraction).plan();
    case DType::float32:
    case DType::float16:
    case DType::bfloat16:
      return Planner<float>(context, contraction).plan();
    default:
      return Planner<uint64_t>(context, contraction).plan();
  }
}

}  // namespace onnxrun::ops
