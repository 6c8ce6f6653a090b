#include "ops/support/recurrent.h"

#include <algorithm>
#include <memory>

#include "base/aligned_buffer.h"
#include "base/checked.h"
#include "base/dispatch_dtype.h"
#include "kernels/gemm/gemm.h"
#include "ops/support/float_block.h"

namespace onnxrun::ops {
namespace {

constexpr int64_t kMaxRows = 16;  // entries of the batch that a tile steps together
// With several threads so few, where the weights are few enough for each of them to read all.
constexpr int64_t kSharedRows = 8, kLeastRows = 4;
constexpr int64_t kFewWeights = int64_t{64} * 1024;
constexpr double kNanosecondsPerWeight = 0.03, kNanosecondsPerMultiply = 0.008;

template <class C>
class Planner {
 public:
  Planner(PlanContext& context, const RecurrentAttributes& attributes, const RecurrentCell& cell)
      : attributes_(attributes),
        cell_(cell),
        kernel_(gemm_kernels_of<C>()),
        dtype_(context.input(kX).dtype),
        directions_(static_cast<int64_t>(attributes.directions)),
        steps_(context.input(kX).shape[attributes.batch_first ? 1 : 0]),
        batch_(context.input(kX).shape[attributes.batch_first ? 0 : 1]),
        inputs_(context.input(kX).shape[2]),
        hidden_(context.input(kR).shape[2]),
        width_(cell.gates * hidden_) {
    for (const size_t j : {kAllH, kLastH, kLastC}) wants_[j] = context.wants(j);
    has_lengths_ = context.has_input(kSequenceLens);
    has_h_ = context.has_input(kInitialH);
    has_c_ = context.has_input(kInitialC);
    has_peepholes_ = context.has_input(kPeepholes);
    const bool shares = !context.options().one_thread && directions_ == 1 && width_ * hidden_ <= kFewWeights;
    const int64_t rows = !shares ? kMaxRows : batch_ < 2 * kSharedRows ? kLeastRows : kSharedRows;
    block_ = ceil_div(std::max<int64_t>(1, batch_), std::max<int64_t>(1, ceil_div(batch_, rows)));
  }

  void plan(PlanContext& context) {
    reserve(context);
    add_weights(context);
    const auto self = std::make_shared<const Planner>(std::move(*this));
    if (self->dtype_ != kDTypeOf<C>) {
      context.range(context.input(kX).elements(), 1, [self](const TileContext& tile, int64_t begin, int64_t end) {
        load_floats(self->dtype_, tile.input(kX), begin, end - begin, self->shared(tile, self->x_at_) + begin);
      });
    }
    if (!self->weights_ || !self->recurrent_) {
      const auto matrices = static_cast<int64_t>(1 + self->cell_.parts.size());
      const double cost = static_cast<double>(self->width_ * std::max(self->inputs_, self->hidden_)) * 0.3;
      context.phase(self->directions_ * matrices, cost, [self, matrices](const TileContext& tile) {
        self->pack(tile, tile.tile / matrices, tile.tile % matrices);
      });
    }
    const bool has_bias = context.has_input(kB);
    context.phase(self->directions_, static_cast<double>(self->width_) * 2,
                  [self, has_bias](const TileContext& tile) { self->fold_bias(tile, tile.tile, has_bias); });
    const GemmTiling tiling = gemm_tiling(size(self->steps_ * self->batch_), size(self->width_), size(self->inputs_),
                                          self->kernel_.mr, self->kernel_.nr);
    const auto tiles = static_cast<int64_t>(tiling.tile_count());
    const double products = static_cast<double>(self->steps_ * self->batch_) * static_cast<double>(self->width_);
    context.phase(
        self->directions_ * tiles,
        products * static_cast<double>(self->inputs_) * 0.01 / static_cast<double>(std::max<int64_t>(1, tiles)),
        [self, tiling, tiles](const TileContext& tile) {
          self->multiply_inputs(tile, tile.tile / tiles, tiling, size(tile.tile % tiles));
        });
    const int64_t blocks = ceil_div(self->batch_, self->block_);
    context.phase(
        self->directions_ * blocks,
        products / static_cast<double>(std::max<int64_t>(1, blocks)) * (static_cast<double>(self->hidden_) * 0.02 + 1),
        [self, blocks](const TileContext& tile) {
          self->run(tile, tile.tile / blocks, tile.tile % blocks * self->block_);
        });
    context.flush_denormals();
    context.implementation("packed steps");
  }

 private:
  static size_t size(int64_t count) { return static_cast<size_t>(count); }

  C* shared(const TileContext& tile, size_t at) const { return reinterpret_cast<C*>(tile.shared) + at; }

  // Places in the shared and the scratch memory, in elements.
  void reserve(PlanContext& context) {
    size_t elements = 0;
    const auto take = [&](const Shape& extents) {
      const size_t at = elements;
      elements = align_up(elements + extents.checked_bytes(kDTypeOf<C>) / sizeof(C), kAlignment / sizeof(C));
      return at;
    };
    w_size_ = align_up(kernel_.packed_b_size(size(inputs_), size(width_)), 16);
    for (const GatePart& part : cell_.parts) {
      r_offsets_.push_back(r_size_);
      r_size_ += align_up(kernel_.packed_b_size(size(hidden_), size(part.count * hidden_)), 16);
    }
    gates_at_ = take({directions_, steps_, batch_, width_});
    bias_at_ = take({directions_, width_});
    recurrent_bias_at_ = take({directions_, width_});
    if (dtype_ != kDTypeOf<C>) x_at_ = take(context.input(kX).shape);
    if (!context.is_constant(kW)) w_at_ = take({directions_, static_cast<int64_t>(w_size_)});
    if (!context.is_constant(kR)) r_at_ = take({directions_, static_cast<int64_t>(r_size_)});
    context.share(elements * sizeof(C));
    elements = 0;
    step_at_ = take({block_, width_});
    h_at_ = take({block_, hidden_});
    c_at_ = take({block_, hidden_});
    work_at_ = take({block_, hidden_});
    peepholes_at_ = take({3, hidden_});
    active_at_ = take({block_});
    context.scratch(elements * sizeof(C));
  }

  // The transpose of rows [first, first + n) of a direction's weights [gates * hidden, k].
  void pack_matrix(const void* weights, int64_t first, int64_t n, int64_t k, C* dst) const {
    const C* src = static_cast<const C*>(weights) + first * k;
    std::vector<C> wide;
    if (dtype_ != kDTypeOf<C>) {
      wide.resize(size(n * k));
      load_floats(dtype_, weights, first * k, n * k, wide.data());
      src = wide.data();
    }
    kernel_.pack_b(src, 1, k, size(k), size(n), 0, kernel_.panel_count(size(n)), dst);
  }
  void pack_recurrent(const void* weights, int64_t d, size_t part, C* dst) const {
    const GatePart& gates = cell_.parts[part];
    pack_matrix(weights, d * width_ + gates.first * hidden_, gates.count * hidden_, hidden_, dst + r_offsets_[part]);
  }

  void add_weights(PlanContext& context) {
    auto pack_w = [&](const Tensor& tensor, std::byte* dst) {
      for (int64_t d = 0; d < directions_; ++d) {
        pack_matrix(tensor.data(), d * width_, width_, inputs_, reinterpret_cast<C*>(dst) + size(d) * w_size_);
      }
    };
    auto pack_r = [&](const Tensor& tensor, std::byte* dst) {
      for (int64_t d = 0; d < directions_; ++d) {
        for (size_t part = 0; part < cell_.parts.size(); ++part) {
          pack_recurrent(tensor.data(), d, part, reinterpret_cast<C*>(dst) + size(d) * r_size_);
        }
      }
    };
    const std::string format = "recurrent " + std::to_string(cell_.gates) + " ";
    const size_t bytes = size(directions_) * sizeof(C);
    if (context.is_constant(kW)) {
      weights_ = reinterpret_cast<const C*>(context.packed(kW, format + "W", w_size_ * bytes, pack_w));
    }
    if (context.is_constant(kR)) {
      recurrent_ = reinterpret_cast<const C*>(context.packed(kR, format + "R", r_size_ * bytes, pack_r));
    }
  }

  void pack(const TileContext& tile, int64_t d, int64_t matrix) const {
    if (matrix == 0 && !weights_) {
      pack_matrix(tile.input(kW), d * width_, width_, inputs_, shared(tile, w_at_) + size(d) * w_size_);
    } else if (matrix > 0 && !recurrent_) {
      pack_recurrent(tile.input(kR), d, size(matrix - 1), shared(tile, r_at_) + size(d) * r_size_);
    }
  }

  // The biases of input and state as one, but for those of the last part where it keeps them apart.
  void fold_bias(const TileContext& tile, int64_t d, bool has_bias) const {
    C* bias = shared(tile, bias_at_) + d * width_;
    C* recurrent = shared(tile, recurrent_bias_at_) + d * width_;
    std::fill_n(bias, width_, C{0});
    std::fill_n(recurrent, width_, C{0});
    if (!has_bias) return;
    load_floats(dtype_, tile.input(kB), 2 * d * width_, width_, bias);
    load_floats(dtype_, tile.input(kB), (2 * d + 1) * width_, width_, recurrent);
    const int64_t folded = cell_.separate_bias ? cell_.parts.back().first * hidden_ : width_;
    for (int64_t i = 0; i < folded; ++i) bias[i] += recurrent[i];
  }

  void multiply_inputs(const TileContext& tile, int64_t d, const GemmTiling& tiling, size_t index) const {
    GemmArgsOf<C> args;
    args.m = size(steps_ * batch_);
    args.n = size(width_);
    args.k = size(inputs_);
    args.a = dtype_ == kDTypeOf<C> ? tile.input<C>(kX) : shared(tile, x_at_);
    args.a_row_stride = inputs_;
    args.packed_b = (weights_ ? weights_ : shared(tile, w_at_)) + size(d) * w_size_;
    args.c = shared(tile, gates_at_) + d * steps_ * batch_ * width_;
    args.c_row_stride = width_;
    args.epilogue.bias = shared(tile, bias_at_) + d * width_;
    run_gemm_tile(kernel_, args, tiling, index);
  }

  // The row of X and of the products of inputs.
  int64_t row(int64_t step, int64_t entry) const {
    return attributes_.batch_first ? entry * steps_ + step : step * batch_ + entry;
  }
  int64_t state_at(int64_t d, int64_t entry) const {
    return (attributes_.batch_first ? entry * directions_ + d : d * batch_ + entry) * hidden_;
  }
  int64_t output_at(int64_t step, int64_t d, int64_t entry) const {
    if (attributes_.batch_first) return ((entry * steps_ + step) * directions_ + d) * hidden_;
    return ((step * directions_ + d) * batch_ + entry) * hidden_;
  }

  int64_t length(const TileContext& tile, int64_t entry) const {
    if (!has_lengths_) return steps_;
    const int64_t length = tile.input<int32_t>(kSequenceLens)[entry];
    if (length < 0 || length > steps_) {
      RunContext::fail("sequence_lens has the element " + std::to_string(length) + " outside [0, " +
                       std::to_string(steps_) + "]");
    }
    return length;
  }

  void load_state(const TileContext& tile, bool given, size_t input, int64_t d, int64_t entry, C* dst) const {
    if (given) {
      load_floats(dtype_, tile.input(input), state_at(d, entry), hidden_, dst);
    } else {
      std::fill_n(dst, hidden_, C{0});
    }
  }

  // All steps of entries [first, first + block) of one direction.
  void run(const TileContext& tile, int64_t d, int64_t first) const {
    C* scratch = reinterpret_cast<C*>(tile.scratch);
    auto* active = reinterpret_cast<uint8_t*>(scratch + active_at_);
    CellStep<C> step;
    step.rows = std::min(block_, batch_ - first);
    step.hidden = hidden_;
    step.active = active;
    step.gates = scratch + step_at_;
    step.h = scratch + h_at_;
    step.c = scratch + c_at_;
    step.work = scratch + work_at_;
    step.recurrent_bias = shared(tile, recurrent_bias_at_) + d * width_;
    step.activations = &attributes_.activations[size(d)];
    step.clip = static_cast<C>(attributes_.clip);
    if (has_peepholes_) {
      load_floats(dtype_, tile.input(kPeepholes), d * 3 * hidden_, 3 * hidden_, scratch + peepholes_at_);
      step.peepholes = scratch + peepholes_at_;
    }
    const C* weights = (recurrent_ ? recurrent_ : shared(tile, r_at_)) + size(d) * r_size_;
    step.product = [&](size_t part, const C* src, C* dst, int64_t stride, bool accumulate) {
      multiply_state(tile, weights + r_offsets_[part], cell_.parts[part].count * hidden_, step.rows, src, dst, stride,
                     accumulate);
    };
    for (int64_t i = 0; i < step.rows; ++i) {
      load_state(tile, has_h_, kInitialH, d, first + i, step.h + i * hidden_);
      if (cell_.has_c) load_state(tile, has_c_, kInitialC, d, first + i, step.c + i * hidden_);
      if (length(tile, first + i) > 0) continue;
      std::fill_n(step.h + i * hidden_, hidden_, C{0});
      std::fill_n(step.c + i * hidden_, hidden_, C{0});
    }
    for (int64_t t = 0; t < steps_; ++t) run_step(tile, d, first, t, step, active);
    for (int64_t i = 0; i < step.rows; ++i) {
      const int64_t at = state_at(d, first + i);
      if (wants_[kLastH]) store_floats(dtype_, step.h + i * hidden_, tile.output(kLastH), at, hidden_);
      if (cell_.has_c && wants_[kLastC]) {
        store_floats(dtype_, step.c + i * hidden_, tile.output(kLastC), at, hidden_);
      }
    }
  }

  void run_step(const TileContext& tile, int64_t d, int64_t first, int64_t t, const CellStep<C>& step,
                uint8_t* active) const {
    const C* gates = shared(tile, gates_at_) + d * steps_ * batch_ * width_;
    const bool is_reversed = d == 1 || attributes_.starts_reversed;
    const auto position = [&](int64_t count) { return is_reversed && t < count ? count - 1 - t : t; };
    for (int64_t i = 0; i < step.rows; ++i) {
      const int64_t count = length(tile, first + i);
      active[i] = t < count;
      std::copy_n(gates + row(position(count), first + i) * width_, width_, step.gates + i * width_);
    }
    if constexpr (sizeof(C) == sizeof(float)) {
      cell_.step_f32(step);
    } else {
      cell_.step_f64(step);
    }
    if (!wants_[kAllH]) return;
    for (int64_t i = 0; i < step.rows; ++i) {
      C* h = step.h + i * hidden_;
      const int64_t at = output_at(position(length(tile, first + i)), d, first + i);
      if (!active[i]) {
        h = step.work;
        std::fill_n(h, hidden_, C{0});
      }
      store_floats(dtype_, h, tile.output(kAllH), at, hidden_);
    }
  }

  void multiply_state(const TileContext& tile, const C* packed, int64_t n, int64_t rows, const C* src, C* dst,
                      int64_t stride, bool accumulate) const {
    static constexpr EpilogueStep kAccumulate = {EpilogueKind::add_residual};
    GemmArgsOf<C> args;
    args.m = size(rows);
    args.n = size(n);
    args.k = size(hidden_);
    args.a = src;
    args.a_row_stride = hidden_;
    args.packed_b = packed;
    args.c = dst;
    args.c_row_stride = stride;
    if (accumulate) {
      args.epilogue.residual = dst;
      args.epilogue.residual_row_stride = stride;
      args.epilogue.steps = &kAccumulate;
      args.epilogue.step_count = 1;
    }
    const double multiplies = static_cast<double>(n) * static_cast<double>(hidden_);
    const double nanoseconds =
        multiplies * std::max(kNanosecondsPerWeight, static_cast<double>(rows) * kNanosecondsPerMultiply);
    if (!tile.division || !tile.division->pays(nanoseconds)) {
      return kernel_.run(args, 0, args.m, 0, kernel_.panel_count(args.n));
    }
    const GemmTiling tiling = gemm_tiling(args.m, args.n, args.k, kernel_.mr, kernel_.nr);
    auto run_part = [&](int64_t i) { run_gemm_tile(kernel_, args, tiling, size(i)); };
    tile.division->run(static_cast<int64_t>(tiling.tile_count()), run_part);
  }

  RecurrentAttributes attributes_;
  RecurrentCell cell_;
  const GemmKernelsOf<C>& kernel_;
  DType dtype_;
  int64_t directions_, steps_, batch_, inputs_, hidden_;
  int64_t width_;      // elements of all gates
  int64_t block_ = 1;  // entries of the batch that a tile steps together
  bool wants_[3] = {};
  bool has_lengths_ = false, has_h_ = false, has_c_ = false, has_peepholes_ = false;
  const C* weights_ = nullptr;  // packed constants, one direction behind the other
  const C* recurrent_ = nullptr;
  size_t w_size_ = 0, r_size_ = 0;  // of a direction's packed matrices
  std::vector<size_t> r_offsets_;   // of the parts
  size_t gates_at_ = 0, bias_at_ = 0, recurrent_bias_at_ = 0, x_at_ = 0, w_at_ = 0, r_at_ = 0;
  size_t step_at_ = 0, h_at_ = 0, c_at_ = 0, work_at_ = 0, peepholes_at_ = 0, active_at_ = 0;
};

}  // namespace

void plan_recurrent(PlanContext& context, const RecurrentAttributes& attributes, const RecurrentCell& cell) {
  if (context.input(kX).dtype == DType::float64) return Planner<double>(context, attributes, cell).plan(context);
  Planner<float>(context, attributes, cell).plan(context);
}

}  // namespace onnxrun::ops
