#pragma once

#include <algorithm>
#include <cstdint>

#include "base/checked.h"
#include "base/dispatch_dtype.h"
#include "kernels/gemm/gemm.h"
#include "kernels/row/row.h"
#include "ops/support/float_block.h"
#include "ops/support/head_layout.h"

namespace onnxrun::ops {

// Keys or values of all heads: `past` rows of one tensor, followed by those of another of the same type.
struct HeadSource {
  DType dtype = DType::undefined;
  int64_t size = 0;  // of a row
  HeadLayout past_layout, layout;
  const void* past_data = nullptr;
  const void* data = nullptr;
  int64_t past = 0;
};

// The two products of attention for one head, in the precision C. Keys and values are packed in chunks, so that a
// query that attends to a part of the keys costs no more than that part.
template <class C>
class AttentionKernel {
 public:
  AttentionKernel(int64_t keys, int64_t head_size, int64_t v_head_size, double scale)
      : kernel_(gemm_kernels_of<C>()),
        keys_(keys),
        head_size_(static_cast<size_t>(head_size)),
        v_head_size_(static_cast<size_t>(v_head_size)),
        scale_(static_cast<C>(scale)),
        chunk_(std::min<int64_t>(align_up(static_cast<size_t>(std::max<int64_t>(1, keys)), panel()),
                                 kChunk / kernel_.nr * kernel_.nr)),
        values_at_(kernel_.packed_b_size(head_size_, static_cast<size_t>(chunk_))),
        chunk_elements_(align_up(values_at_ + kernel_.packed_b_size(static_cast<size_t>(chunk_), v_head_size_), 16)) {}

  int64_t chunk_length() const { return chunk_; }
  int64_t chunk_count() const { return ceil_div(keys_, chunk_); }
  // Elements of a head's packed keys and values; of the scratch memory of pack().
  size_t packed_elements() const { return chunk_elements_ * static_cast<size_t>(chunk_count()); }
  size_t scratch_elements() const { return static_cast<size_t>(chunk_) * std::max(head_size_, v_head_size_); }
  // Writes chunk `chunk` of head h of batch entry b to its place in `packed`, where the head's begin.
  void pack(const HeadSource& key, const HeadSource& value, int64_t b, int64_t h, int64_t chunk, C* packed,
            C* scratch) const {
    const int64_t begin = chunk * chunk_;
    const auto n = static_cast<size_t>(std::min(chunk_, keys_ - begin));
    C* dst = packed + static_cast<size_t>(chunk) * chunk_elements_;
    const Rows k = rows(key, b, h, begin, static_cast<int64_t>(n), scratch);
    kernel_.pack_b(k.data, 1, k.stride, head_size_, n, 0, kernel_.panel_count(n), dst);
    const size_t count = kernel_.packed_b_size(head_size_, n);
    for (size_t i = 0; i < count; ++i) dst[i] *= scale_;
    const Rows v = rows(value, b, h, begin, static_cast<int64_t>(n), scratch);
    kernel_.pack_b(v.data, v.stride, 1, n, v_head_size_, 0, kernel_.panel_count(v_head_size_), dst + values_at_);
  }

  // scores[i, j] = scale q[i] k[j] for the keys j of [begin, end) and others of their chunks. Strides are of rows.
  void score(const C* q, int64_t q_stride, int64_t count, const C* packed, int64_t begin, int64_t end, C* scores,
             int64_t stride) const {
    for (int64_t chunk = begin / chunk_; chunk * chunk_ < end; ++chunk) {
      const int64_t first = chunk * chunk_;
      GemmArgsOf<C> args;
      args.m = static_cast<size_t>(count);
      args.n = static_cast<size_t>(std::min(chunk_, keys_ - first));
      args.k = head_size_;
      args.a = q;
      args.a_row_stride = q_stride;
      args.packed_b = packed + static_cast<size_t>(chunk) * chunk_elements_;
      args.c = scores + first;
      args.c_row_stride = stride;
      const auto wanted = std::min(args.n, static_cast<size_t>(end - first));
      kernel_.run(args, 0, args.m, 0, kernel_.panel_count(wanted));
    }
  }

  // dst[i] = the sum of probabilities[i, j] v[j] over the chunks that [begin, end) touches.
  void weigh(const C* probabilities, int64_t stride, int64_t count, const C* packed, int64_t begin, int64_t end, C* dst,
             int64_t dst_stride) const {
    if (begin >= end) {
      for (int64_t i = 0; i < count; ++i) std::fill_n(dst + i * dst_stride, v_head_size_, C{0});
      return;
    }
    static constexpr EpilogueStep kAccumulate = {EpilogueKind::add_residual};
    for (int64_t chunk = begin / chunk_; chunk * chunk_ < end; ++chunk) {
      const int64_t first = chunk * chunk_;
      GemmArgsOf<C> args;
      args.m = static_cast<size_t>(count);
      args.n = v_head_size_;
      args.k = static_cast<size_t>(std::min(chunk_, keys_ - first));
      args.a = probabilities + first;
      args.a_row_stride = stride;
      args.packed_b = packed + static_cast<size_t>(chunk) * chunk_elements_ + values_at_;
      args.c = dst;
      args.c_row_stride = dst_stride;
      if (chunk != begin / chunk_) {
        args.epilogue.residual = dst;
        args.epilogue.residual_row_stride = dst_stride;
        args.epilogue.steps = &kAccumulate;
        args.epilogue.step_count = 1;
      }
      kernel_.run(args, 0, args.m, 0, kernel_.panel_count(v_head_size_));
    }
  }

  // Softmax in place; zeros where every element is -inf.
  static void softmax(C* row, int64_t n);

 private:
  static constexpr int64_t kChunk = 192;  // a multiple of every panel's width

  struct Rows {
    const C* data;
    ptrdiff_t stride;
  };

  size_t panel() const { return static_cast<size_t>(kernel_.nr); }

  // Rows [begin, begin + n) of a head; gathered in `scratch` where they are of another type or in two places.
  static Rows rows(const HeadSource& source, int64_t b, int64_t h, int64_t begin, int64_t n, C* scratch) {
    const bool in_past = begin + n <= source.past;
    const void* data = in_past ? source.past_data : source.data;
    const HeadLayout& layout = in_past ? source.past_layout : source.layout;
    if (source.dtype == kDTypeOf<C> && (in_past || begin >= source.past)) {
      const int64_t first = in_past ? begin : begin - source.past;
      return {static_cast<const C*>(data) + layout.at(b, h, first), layout.row};
    }
    for (int64_t i = 0; i < n; ++i) {
      const int64_t row = begin + i;
      C* dst = scratch + i * source.size;
      if (row < source.past) {
        load_floats(source.dtype, source.past_data, source.past_layout.at(b, h, row), source.size, dst);
      } else {
        load_floats(source.dtype, source.data, source.layout.at(b, h, row - source.past), source.size, dst);
      }
    }
    return {scratch, source.size};
  }

  const GemmKernelsOf<C>& kernel_;
  int64_t keys_;
  size_t head_size_, v_head_size_;
  C scale_;
  int64_t chunk_;          // keys of a chunk
  size_t values_at_;       // where a chunk's values begin, in elements
  size_t chunk_elements_;  // of one chunk's keys and values
};

template <>
void AttentionKernel<float>::softmax(float* row, int64_t n);
template <>
void AttentionKernel<double>::softmax(double* row, int64_t n);

}  // namespace onnxrun::ops
