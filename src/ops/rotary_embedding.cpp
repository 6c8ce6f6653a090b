// RotaryEmbedding: https://onnx.ai/onnx/operators/onnx__RotaryEmbedding.html, version 23. 16-bit floats go through
// float and are rounded once.
#include <algorithm>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/attention_shapes.h"
#include "ops/support/elementwise.h"
#include "ops/support/float_block.h"

namespace onnxrun {
namespace {

struct Extents {
  int64_t batch, heads, length, size;
  bool heads_outside;  // [batch, heads, length, size], not [batch, length, heads, size]
};

class RotaryEmbedding : public Operator {
 public:
  explicit RotaryEmbedding(AttributeReader& attributes)
      : interleaved_(attributes.flag("interleaved", false)),
        heads_(attributes.integer("num_heads", 0)),
        rotary_(attributes.integer("rotary_embedding_dim", 0)) {
    if (heads_ < 0) throw Error(ErrorCode::invalid_model, "attribute 'num_heads' must not be negative");
    if (rotary_ < 0 || rotary_ % 2 != 0) {
      throw Error(ErrorCode::invalid_model, "attribute 'rotary_embedding_dim' must be even and not negative");
    }
  }

  void infer(InferContext& context) const override {
    ops::infer_same(context);
    const DimShape& x = context.shape(0);
    if (!x.has_rank()) return;
    if (x.rank() != 3 && x.rank() != 4)
      context.fail("the input must have rank 3 or 4, not " + std::to_string(x.rank()));
    if (x.rank() == 3 && heads_ == 0) context.fail("an input of rank 3 needs the attribute 'num_heads'");
    const Dim size = x.rank() == 4 ? x[3] : exact_div(x[2], heads_);
    if (x.rank() == 3 && x[2].is_number() && x[2].number() % heads_ != 0) {
      context.fail(x[2].to_string() + " elements cannot be divided into " + std::to_string(heads_) + " heads");
    }
    if (size.is_number() && (size.number() < rotary_ || (rotary_ == 0 && size.number() % 2 != 0))) {
      context.fail("heads of " + size.to_string() + " elements cannot be rotated");
    }
    const Dim half = rotary_ > 0 ? Dim(rotary_ / 2) : exact_div(size, 2);
    const Dim& length = x[x.rank() - 2];
    for (const size_t i : {size_t{1}, size_t{2}}) {
      if (context.has_input(3)) {
        check(context, i, {Dim::unknown(), half});
      } else {
        check(context, i, {x[0], length, half});
      }
    }
    if (context.has_input(3)) check(context, 3, {x[0], length});
  }

  void plan(PlanContext& context) const override {
    const Shape& x = context.input(0).shape;
    const Extents extents =
        x.rank() == 4 ? Extents{x[0], x[1], x[2], x[3], true} : Extents{x[0], heads_, x[1], x[2] / heads_, false};
    const int64_t rotary = rotary_ > 0 ? rotary_ : extents.size;
    const int64_t positions = context.input(1).shape[0];
    const bool has_ids = context.has_input(3);
    const DType dtype = context.input(0).dtype;
    context.in_place(0, 0);
    context.scratch(static_cast<size_t>(2 * extents.size + 2 * rotary) * sizeof(float));
    context.range(extents.batch * extents.heads * extents.length, static_cast<double>(extents.size) * 0.5 + 5,
                  [=, interleaved = interleaved_](const TileContext& tile, int64_t begin, int64_t end) {
                    for (int64_t row = begin; row < end; ++row) {
                      int64_t at = position(extents, row);
                      if (has_ids) at = checked_position(tile.input<int64_t>(3)[at], positions);
                      rotate_row(tile, dtype, row * extents.size, at * (rotary / 2), extents.size, rotary, interleaved);
                    }
                  });
  }

 private:
  static void check(const InferContext& context, size_t i, const DimShape& want) {
    const DimShape& shape = context.shape(i);
    bool fits = !shape.has_rank() || shape.rank() == want.rank();
    for (size_t k = 0; fits && k < shape.rank(); ++k) fits = !ops::differ(shape[k], want[k]);
    if (!fits) {
      context.fail("input " + std::to_string(i) + " must have shape " + want.to_string() + ", it has " +
                   shape.to_string());
    }
  }

  // The token, counted through the batch, that a row belongs to.
  static int64_t position(const Extents& extents, int64_t row) {
    if (!extents.heads_outside) return row / extents.heads;
    return row / extents.length / extents.heads * extents.length + row % extents.length;
  }

  static int64_t checked_position(int64_t position, int64_t count) {
    if (position < 0 || position >= count) {
      RunContext::fail("position " + std::to_string(position) + " is outside the caches of " + std::to_string(count));
    }
    return position;
  }

  static void rotate_row(const TileContext& tile, DType dtype, int64_t at, int64_t cache_at, int64_t size,
                         int64_t rotary, bool interleaved) {
    if (dtype == DType::float32) {
      const float* src = tile.input<float>(0) + at;
      auto* copy = reinterpret_cast<float*>(tile.scratch);
      std::copy_n(src, rotary, copy);  // the output may be the input
      float* dst = tile.output<float>(0) + at;
      rotate(copy, dst, tile.input<float>(1) + cache_at, tile.input<float>(2) + cache_at, rotary / 2, interleaved);
      std::copy(src + rotary, src + size, dst + rotary);
      return;
    }
    auto* src = reinterpret_cast<float*>(tile.scratch);
    float* dst = src + size;
    float* cosines = dst + size;
    float* sines = cosines + rotary / 2;
    ops::load_floats(dtype, tile.input(0), at, size, src);
    ops::load_floats(dtype, tile.input(1), cache_at, rotary / 2, cosines);
    ops::load_floats(dtype, tile.input(2), cache_at, rotary / 2, sines);
    rotate(src, dst, cosines, sines, rotary / 2, interleaved);
    std::copy(src + rotary, src + size, dst + rotary);
    ops::store_floats(dtype, dst, tile.output(0), at, size);
  }

  // Turns `half` pairs: neighbours, or elements `half` apart.
  static void rotate(const float* src, float* dst, const float* cosines, const float* sines, int64_t half,
                     bool interleaved) {
    if (interleaved) {
      for (int64_t i = 0; i < half; ++i) {
        dst[2 * i] = cosines[i] * src[2 * i] - sines[i] * src[2 * i + 1];
        dst[2 * i + 1] = sines[i] * src[2 * i] + cosines[i] * src[2 * i + 1];
      }
      return;
    }
    for (int64_t i = 0; i < half; ++i) {
      dst[i] = cosines[i] * src[i] - sines[i] * src[half + i];
      dst[half + i] = sines[i] * src[i] + cosines[i] * src[half + i];
    }
  }

  bool interleaved_;
  int64_t heads_;
  int64_t rotary_;  // elements of a head that are turned; 0: all
};

}  // namespace

void register_rotary_embedding(OpRegistry& registry) {
  registry.add({.name = "RotaryEmbedding",
                .versions = {23},
                .signature = "X:T, cos_cache:T, sin_cache:T, position_ids:int64? -> Y:T",
                .types = {{.name = "T", .tensors = {DType::float32, DType::float16, DType::bfloat16}}},
                .create = make_operator<RotaryEmbedding>});
}

}  // namespace onnxrun
