#include "ops/support/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "kernels/attention/attention.h"
#include "kernels/unary/unary.h"
#include "onnxrun/error.h"
#include "ops/support/attention_kernel.h"
#include "ops/support/convert.h"
#include "ops/support/strided_copy.h"
#include "ops/support/strided_loop.h"

namespace onnxrun::ops {

template <>
void AttentionKernel<float>::softmax(float* row, int64_t n) {
  const auto count = static_cast<size_t>(n);
  const RowKernels& rows = row_kernels();
  const float largest = rows.max(row, count);
  if (largest == -std::numeric_limits<float>::infinity()) return void(std::fill_n(row, n, 0.0F));
  rows.scale_shift(row, row, count, 1 / rows.exp_sum(row, row, count, largest), 0);
}

template <>
void AttentionKernel<double>::softmax(double* row, int64_t n) {
  double largest = -std::numeric_limits<double>::infinity();
  for (int64_t j = 0; j < n; ++j) largest = row[j] > largest || row[j] != row[j] ? row[j] : largest;
  if (largest == -std::numeric_limits<double>::infinity()) return void(std::fill_n(row, n, 0.0));
  double sum = 0;
  for (int64_t j = 0; j < n; ++j) sum += row[j] = std::exp(row[j] - largest);
  for (int64_t j = 0; j < n; ++j) row[j] /= sum;
}

namespace {

constexpr int64_t kMaxRows = 64;                         // queries of a tile
constexpr int64_t kMaxScoreBytes = int64_t{512} * 1024;  // of a tile, but for the least number of rows
constexpr int64_t kMinRows = 8;
constexpr int64_t kDirectRows = 8;  // queries that share a head and are fewer than packing it is worth
constexpr int64_t kBlock = 512;     // elements of a mask that are converted at a time

void cap(float* row, int64_t n, double softcap) {
  const auto count = static_cast<size_t>(n);
  row_kernels().scale_shift(row, row, count, static_cast<float>(1 / softcap), 0);
  unary_f32(UnaryKind::tanh)(row, row, count, 0, 0);
  row_kernels().scale_shift(row, row, count, static_cast<float>(softcap), 0);
}
void cap(double* row, int64_t n, double softcap) {
  for (int64_t j = 0; j < n; ++j) row[j] = softcap * std::tanh(row[j] / softcap);
}

// The mask as the sum of the scores and it, with -inf for what it forbids, whatever the score.
template <class C>
class Mask {
 public:
  Mask(const TensorType& type, const Shape& scores, const Attention& attention)
      : dtype_(type.dtype),
        length_(scores[3]),
        forbidden_(static_cast<C>(attention.forbidden)),
        forbids_(attention.mask_forbids) {
    if (dtype_ != kDTypeOf<C> && dtype_ != DType::boolean) convert_ = make_convert(dtype_, kDTypeOf<C>);
    Shape shape = type.shape;
    const bool is_short = shape.rank() > 0 && shape.back() < scores[3] && (attention.pads_mask || shape.back() != 1);
    Shape target = scores;
    if (is_short) target[3] = length_ = shape.back();
    const auto strides = broadcast_strides(shape, target);
    std::copy_n(strides.begin(), 4, strides_);
    if (is_short && length_ == 1) strides_[3] = 0;
  }

  // Keys from here on are forbidden.
  int64_t length() const { return length_; }

  // Applies it to keys [begin, end) of a row of scores.
  void apply(const void* mask, int64_t b, int64_t h, int64_t i, int64_t begin, int64_t end, C* row) const {
    const ptrdiff_t first = b * strides_[0] + h * strides_[1] + i * strides_[2] + begin * strides_[3];
    const ptrdiff_t step = strides_[3];
    if (dtype_ == DType::boolean) {
      const auto* flags = static_cast<const uint8_t*>(mask) + first;
      for (int64_t j = begin; j < end; ++j) row[j] = (flags[(j - begin) * step] != 0) != forbids_ ? row[j] : forbidden_;
      return;
    }
    if (!convert_) return add(static_cast<const C*>(mask) + first, step, end - begin, row + begin);
    const auto bytes = bit_size(dtype_) / 8;
    C buffer[kBlock];
    for (int64_t j = begin; j < end; j += kBlock) {
      const int64_t n = std::min(kBlock, end - j);
      const auto* src = static_cast<const std::byte*>(mask) + (first + (j - begin) * step) * bytes;
      convert_(src, buffer, 0, step == 0 ? 1 : n);
      add(buffer, step, n, row + j);
    }
  }

 private:
  static constexpr C kForbidden = -std::numeric_limits<C>::infinity();

  static void add(const C* mask, ptrdiff_t step, int64_t n, C* row) {
    if constexpr (std::is_same_v<C, float>) {
      row_kernels().add_mask(row, mask, step, static_cast<size_t>(n));
    } else {
      for (int64_t j = 0; j < n; ++j) {
        const C bias = mask[j * step];
        row[j] = bias == kForbidden ? kForbidden : row[j] + bias;
      }
    }
  }

  DType dtype_;
  int64_t length_;
  C forbidden_;
  bool forbids_;
  ptrdiff_t strides_[4] = {};
  Convert convert_;
};

template <class C>
class Planner {
 public:
  Planner(PlanContext& context, const Attention& attention)
      : attention_(attention),
        layout_(attention.layout ? *attention.layout : layout_of(context, attention)),
        q_type_(context.input(0).dtype),
        y_type_(context.output(0).dtype),
        key_(source(context, 1, layout_.k, layout_.head_size, attention.past_key)),
        value_(source(context, 2, layout_.v, layout_.v_head_size, attention.past_value)),
        batch_(layout_.batch),
        queries_(layout_.queries),
        keys_(layout_.keys + key_.past),
        head_size_(key_.size),
        kernel_(keys_, key_.size, value_.size, attention.scale),
        stride_(static_cast<int64_t>(align_up(static_cast<size_t>(keys_), 16)) + 16) {
    if (attention.mask) {
      mask_.emplace(context.input(*attention.mask), Shape{batch_, attention.q_heads, queries_, keys_}, attention);
    }
    if (attention.scores) score_type_ = context.output(*attention.scores).dtype;
    block_ = std::clamp<int64_t>(kMaxScoreBytes / (stride_ * static_cast<int64_t>(sizeof(C))), kMinRows, kMaxRows);
    block_ = std::min(block_, std::max<int64_t>(1, queries_));
    const int64_t sharing = queries_ * attention.q_heads / std::max<int64_t>(1, attention.kv_heads);
    const bool is_plain = std::is_same_v<C, float> && q_type_ == DType::float32 && y_type_ == DType::float32 &&
                          key_.dtype == DType::float32 && value_.dtype == DType::float32;
    if (is_plain && sharing <= kDirectRows) direct_rows_ = sharing;
  }

  void plan(PlanContext& context) {
    if (attention_.present_key) copy_present(context, 1, attention_.past_key, *attention_.present_key, key_);
    if (attention_.present_value) copy_present(context, 2, attention_.past_value, *attention_.present_value, value_);
    context.flush_denormals();
    reserve_scratch(context);
    if (direct_rows_ > 0) return plan_direct(context);
    const size_t head_bytes = kernel_.packed_elements() * sizeof(C);
    const int64_t heads = batch_ * attention_.kv_heads;
    size_t shared_bytes = 0;
    if (!checked_mul(head_bytes, static_cast<size_t>(heads), shared_bytes)) {
      throw Error(ErrorCode::limit, "the keys and values are too large");
    }
    context.share(shared_bytes);
    const int64_t chunks = kernel_.chunk_count();
    const auto pack_cost = static_cast<double>(kernel_.chunk_length() * (head_size_ + value_.size)) * 0.3;
    const int64_t blocks = ceil_div(queries_, block_);
    const auto products = static_cast<double>(block_ * keys_) * static_cast<double>(head_size_ + value_.size + 40);
    const auto self = std::make_shared<const Planner>(std::move(*this));
    context.phase(heads * chunks, pack_cost, [self, chunks](const TileContext& tile) {
      self->pack(tile, tile.tile / chunks, tile.tile % chunks);
    });
    context.phase(self->batch_ * self->attention_.q_heads * blocks, products * 0.01 * sizeof(C) / sizeof(float),
                  [self, blocks](const TileContext& tile) {
                    self->run(tile, tile.tile / blocks, tile.tile % blocks * self->block_);
                  });
    context.implementation("packed heads");
  }

 private:
  struct Range {
    int64_t begin, end;
  };

  void plan_direct(PlanContext& context) {
    const auto products = static_cast<double>(direct_rows_ * keys_) * static_cast<double>(head_size_ + value_.size);
    const auto self = std::make_shared<const Planner>(std::move(*this));
    if constexpr (std::is_same_v<C, float>) {
      context.phase(self->batch_ * self->attention_.kv_heads, products * 0.05 + 20,
                    [self](const TileContext& tile) { self->run_direct(tile, tile.tile); });
    }
    context.implementation("direct");
  }

  static AttentionLayout layout_of(const PlanContext& context, const Attention& attention) {
    const Shape& q = context.input(0).shape;
    const Shape& k = context.input(1).shape;
    const Shape& v = context.input(2).shape;
    const auto size = [&](const Shape& shape) { return shape.back() / (shape.rank() == 3 ? attention.kv_heads : 1); };
    AttentionLayout layout;
    layout.q = HeadLayout::of(q, attention.q_heads);
    layout.k = HeadLayout::of(k, attention.kv_heads);
    layout.v = HeadLayout::of(v, attention.kv_heads);
    layout.y = HeadLayout::of(context.output(0).shape, attention.q_heads);
    layout.batch = q[0];
    layout.queries = q[q.rank() - 2];
    layout.keys = k[k.rank() - 2];
    layout.head_size = size(k);
    layout.v_head_size = size(v);
    return layout;
  }

  HeadSource source(const PlanContext& context, size_t i, const HeadLayout& layout, int64_t size,
                    std::optional<size_t> past) const {
    HeadSource source;
    source.dtype = context.input(i).dtype;
    source.layout = layout;
    source.size = size;
    if (past) {
      source.past = context.input(*past).shape[2];
      source.past_layout = HeadLayout::of(context.input(*past).shape, attention_.kv_heads);
    }
    return source;
  }

  void copy_present(PlanContext& context, size_t i, std::optional<size_t> past, size_t j, const HeadSource& source) {
    const auto copy = [&](size_t input, const HeadLayout& layout, int64_t rows, int64_t at) {
      StridedCopy block;
      block.add_axis(batch_, layout.batch, attention_.kv_heads * keys_ * source.size);
      block.add_axis(attention_.kv_heads, layout.head, keys_ * source.size);
      block.add_axis(rows, layout.row, source.size);
      block.add_axis(source.size, 1, 1);
      block.dst_offset = at * source.size;
      plan_copy(context, input, j, block);
    };
    if (past) copy(*past, source.past_layout, source.past, 0);
    copy(i, source.layout, keys_ - source.past, source.past);
  }

  void reserve_scratch(PlanContext& context) {
    const auto bytes = [](int64_t m, int64_t n) { return align_up(Shape{m, n}.checked_bytes(kDTypeOf<C>), 64); };
    const int64_t rows = std::max(block_, direct_rows_);
    size_t size = bytes(rows, stride_);
    q_at_ = size;
    if (direct_rows_ > 0 || q_type_ != kDTypeOf<C>) size += bytes(rows, head_size_);
    y_at_ = size;
    if (direct_rows_ > 0 || y_type_ != kDTypeOf<C>) size += bytes(rows, value_.size);
    if (direct_rows_ == 0) size = std::max(size, kernel_.scratch_elements() * sizeof(C));
    context.scratch(size);
  }

  C* packed(const TileContext& tile, int64_t head) const {
    return reinterpret_cast<C*>(tile.shared) + static_cast<size_t>(head) * kernel_.packed_elements();
  }

  void pack(const TileContext& tile, int64_t head, int64_t chunk) const {
    HeadSource key = key_;
    HeadSource value = value_;
    key.data = tile.input(1);
    value.data = tile.input(2);
    if (attention_.past_key) key.past_data = tile.input(*attention_.past_key);
    if (attention_.past_value) value.past_data = tile.input(*attention_.past_value);
    kernel_.pack(key, value, head / attention_.kv_heads, head % attention_.kv_heads, chunk, packed(tile, head),
                 reinterpret_cast<C*>(tile.scratch));
  }

  // The keys that query i of batch entry b may attend to, as far as the mask allows.
  Range range(const TileContext& tile, int64_t b, int64_t i) const {
    int64_t end = mask_ ? mask_->length() : keys_;
    int64_t offset = key_.past;
    if (attention_.valid_keys) {
      const int64_t valid = tile.input<int64_t>(*attention_.valid_keys)[b];
      if (valid < 0 || valid > keys_) {
        RunContext::fail("nonpad_kv_seqlen has the element " + std::to_string(valid) + " outside [0, " +
                         std::to_string(keys_) + "]");
      }
      end = std::min(end, valid);
      offset = valid - queries_;
    }
    const int64_t position = offset + i;
    if (attention_.is_causal) end = std::min(end, position + 1);
    const int64_t right = attention_.right_window;
    if (right >= 0 && right < keys_ - position) end = std::min(end, position + right + 1);
    const int64_t left = attention_.left_window;
    const int64_t begin = left >= 0 && left < position ? position - left : 0;
    return begin < end ? Range{begin, end} : Range{0, 0};
  }

  // The keys that any of `count` queries needs.
  Range covered(const TileContext& tile, int64_t b, int64_t first, int64_t count) const {
    if (attention_.scores) return {0, keys_};
    Range all = {keys_, 0};
    for (int64_t i = first; i < first + count; ++i) {
      const Range part = range(tile, b, i);
      if (part.begin < part.end) all = {std::min(all.begin, part.begin), std::max(all.end, part.end)};
    }
    return all.begin < all.end ? all : Range{0, 0};
  }

  // Calls body(rows, stride, first, count) for the stretches of keys or values [begin, end) that lie in one place.
  template <class Body>
  static void each_stretch(const TileContext& tile, size_t i, std::optional<size_t> past, const HeadSource& source,
                           int64_t b, int64_t h, const Range& all, const Body& body) {
    const int64_t split = std::clamp(source.past, all.begin, all.end);
    if (all.begin < split) {
      body(tile.input<float>(*past) + source.past_layout.at(b, h, all.begin), source.past_layout.row, all.begin,
           static_cast<size_t>(split - all.begin));
    }
    if (split < all.end) {
      body(tile.input<float>(i) + source.layout.at(b, h, split - source.past), source.layout.row, split,
           static_cast<size_t>(all.end - split));
    }
  }

  // All queries that share one head of keys and values, which are read where they lie.
  void run_direct(const TileContext& tile, int64_t kv_head) const {
    const int64_t b = kv_head / attention_.kv_heads;
    const int64_t g = kv_head % attention_.kv_heads;
    const int64_t first_head = g * (attention_.q_heads / attention_.kv_heads);
    const auto rows = static_cast<size_t>(direct_rows_);
    auto* scores = reinterpret_cast<float*>(tile.scratch);
    auto* q = reinterpret_cast<float*>(tile.scratch + q_at_);
    auto* y = reinterpret_cast<float*>(tile.scratch + y_at_);
    for (int64_t r = 0; r < direct_rows_; ++r) {
      const float* src = tile.input<float>(0) + layout_.q.at(b, first_head + r / queries_, r % queries_);
      row_kernels().scale_shift(src, q + r * head_size_, static_cast<size_t>(head_size_),
                                static_cast<float>(attention_.scale), 0);
    }
    const Range all = covered(tile, b, 0, queries_);
    each_stretch(tile, 1, attention_.past_key, key_, b, g, all,
                 [&](const float* keys, int64_t stride, int64_t first, size_t count) {
                   attention_kernels().score(q, rows, static_cast<size_t>(head_size_), keys, stride, count,
                                             scores + first, stride_);
                 });
    for (int64_t r = 0; r < direct_rows_; ++r) {
      finish_row(tile, b, first_head + r / queries_, r % queries_, all, scores + r * stride_);
    }
    std::fill_n(y, direct_rows_ * value_.size, 0.0F);
    each_stretch(tile, 2, attention_.past_value, value_, b, g, all,
                 [&](const float* values, int64_t stride, int64_t first, size_t count) {
                   attention_kernels().weigh(scores + first, stride_, rows, values, stride, count,
                                             static_cast<size_t>(value_.size), y);
                 });
    for (int64_t r = 0; r < direct_rows_; ++r) {
      std::copy_n(y + r * value_.size, value_.size,
                  tile.output<float>(0) + layout_.y.at(b, first_head + r / queries_, r % queries_));
    }
  }

  // Queries [first, first + block) of one head.
  void run(const TileContext& tile, int64_t head, int64_t first) const {
    const int64_t b = head / attention_.q_heads;
    const int64_t h = head % attention_.q_heads;
    const int64_t kv_head = b * attention_.kv_heads + h / (attention_.q_heads / attention_.kv_heads);
    const int64_t count = std::min(block_, queries_ - first);
    C* scores = reinterpret_cast<C*>(tile.scratch);
    const int64_t q_begin = layout_.q.at(b, h, first);
    const C* q = tile.input<C>(0) + q_begin;
    int64_t q_stride = layout_.q.row;
    if (q_type_ != kDTypeOf<C>) {
      C* wide = reinterpret_cast<C*>(tile.scratch + q_at_);
      for (int64_t i = 0; i < count; ++i) {
        load_floats(q_type_, tile.input(0), q_begin + i * layout_.q.row, head_size_, wide + i * head_size_);
      }
      q = wide;
      q_stride = head_size_;
    }
    Range all = covered(tile, b, first, count);
    // Whole chunks, for weigh() reads them.
    all.begin = all.begin / kernel_.chunk_length() * kernel_.chunk_length();
    const int64_t chunk_end = std::min(keys_, ceil_div(all.end, kernel_.chunk_length()) * kernel_.chunk_length());
    kernel_.score(q, q_stride, count, packed(tile, kv_head), all.begin, all.end, scores, stride_);
    for (int64_t i = 0; i < count; ++i) {
      finish_row(tile, b, h, first + i, {all.begin, chunk_end}, scores + i * stride_);
    }
    const bool converts = y_type_ != kDTypeOf<C>;
    const int64_t y_begin = layout_.y.at(b, h, first);
    C* y = converts ? reinterpret_cast<C*>(tile.scratch + y_at_) : tile.output<C>(0) + y_begin;
    kernel_.weigh(scores, stride_, count, packed(tile, kv_head), all.begin, all.end, y,
                  converts ? value_.size : layout_.y.row);
    for (int64_t i = 0; converts && i < count; ++i) {
      store_floats(y_type_, y + i * value_.size, tile.output(0), y_begin + i * layout_.y.row, value_.size);
    }
  }

  // Makes scores probabilities; `all` are the keys that the products read.
  void finish_row(const TileContext& tile, int64_t b, int64_t h, int64_t i, const Range& all, C* row) const {
    using Scores = Attention::Scores;
    const auto emit = [&](Scores stage) {
      if (!attention_.scores || attention_.score_stage != stage) return;
      const int64_t at = ((b * attention_.q_heads + h) * queries_ + i) * keys_;
      store_floats(score_type_, row, tile.output(*attention_.scores), at, keys_);
    };
    const auto fill_outside = [&](const Range& part, C value) {
      std::fill(row + all.begin, row + part.begin, value);
      std::fill(row + part.end, row + all.end, value);
    };
    Range part = range(tile, b, i);
    if (part.begin == part.end) part = {all.begin, all.begin};
    emit(Scores::raw);
    if (attention_.softcap > 0) {
      const Range capped = attention_.scores ? all : part;
      cap(row + capped.begin, capped.end - capped.begin, attention_.softcap);
    }
    emit(Scores::capped);
    if (mask_) mask_->apply(tile.input(*attention_.mask), b, h, i, part.begin, part.end, row);
    if (attention_.score_stage == Scores::masked) fill_outside(part, -std::numeric_limits<C>::infinity());
    emit(Scores::masked);
    AttentionKernel<C>::softmax(row + part.begin, part.end - part.begin);
    fill_outside(part, 0);
    emit(Scores::probabilities);
  }

  Attention attention_;
  AttentionLayout layout_;
  DType q_type_, y_type_, score_type_ = DType::undefined;
  HeadSource key_, value_;
  int64_t batch_, queries_, keys_, head_size_;
  AttentionKernel<C> kernel_;
  int64_t stride_;  // of rows of scores: no power of two, for rows would share few sets of the first-level cache
  std::optional<Mask<C>> mask_;
  int64_t block_ = 1;           // queries of a tile
  int64_t direct_rows_ = 0;     // queries that share a head, where none is packed
  size_t q_at_ = 0, y_at_ = 0;  // where converted rows lie in the scratch memory
};

}  // namespace

void plan_attention(PlanContext& context, const Attention& attention) {
  bool in_double = attention.in_double;
  for (size_t i = 0; i < 3; ++i) in_double = in_double || context.input(i).dtype == DType::float64;
  if (in_double) return Planner<double>(context, attention).plan(context);
  Planner<float>(context, attention).plan(context);
}

}  // namespace onnxrun::ops
