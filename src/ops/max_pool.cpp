// MaxPool: https://onnx.ai/onnx/operators/onnx__MaxPool.html, versions 1, 8 (Indices), 10 (dilations, ceil_mode), 11,
// 12 (8-bit integers), 22. A NaN in a window wins.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "ops/support/pooling.h"

namespace onnxrun {
namespace {

template <class T>
T lowest() {
  if constexpr (std::is_integral_v<T>) {
    return std::numeric_limits<T>::lowest();
  } else {
    return T(-std::numeric_limits<float>::infinity());
  }
}

template <class T>
bool is_larger(T x, T best) {
  return x > best || x != x;
}

class MaxPool : public Operator {
 public:
  explicit MaxPool(AttributeReader& attributes)
      : window_(attributes, true), column_major_(attributes.integer("storage_order", 0) == 1) {}

  void infer(InferContext& context) const override { ops::infer_pool(context, window_); }

  void plan(PlanContext& context) const override {
    const auto shared = ops::make_pooling(context, window_);
    const Shape& x = context.input(0).shape;
    const int64_t maps = x[0] * x[1];
    const double cost = static_cast<double>(shared->output_size()) * 3;
    const bool with_indices = context.wants(1);
    if (context.input(0).dtype == DType::float32 && !with_indices) {
      return ops::plan_windows(context, shared, ops::WindowJoin::max());
    }
    dispatch_dtype<float, double, Half, BFloat16, int8_t, uint8_t>(context.input(0).dtype, [&]<class T>() {
      context.range(maps, cost, [=, this](const TileContext& tile, int64_t begin, int64_t end) {
        const ops::Pooling& pooling = *shared;
        for (int64_t map = begin; map < end; ++map) {
          const T* src = tile.input<T>(0) + map * pooling.input_size();
          T* dst = tile.output<T>(0) + map * pooling.output_size();
          if (with_indices) {
            pool_with_indices(pooling, map, src, dst, tile.output<int64_t>(1) + map * pooling.output_size());
          } else {
            pool(pooling, src, dst);
          }
        }
      });
    });
  }

 private:
  template <class T>
  static void pool(const ops::Pooling& pooling, const T* src, T* dst) {
    std::fill_n(dst, pooling.output_size(), lowest<T>());
    for (int64_t row = 0; row < pooling.row_count(); ++row) {
      T* out = dst + row * pooling.output.back();
      for (const ops::Pooling::Tap& tap : pooling.taps(row)) {
        for (int64_t i = 0; i < tap.end - tap.begin; ++i) {
          const T x = src[tap.offset + i * tap.stride];
          if (is_larger(x, out[tap.begin + i])) out[tap.begin + i] = x;
        }
      }
    }
  }

  // Indices count through the whole input tensor, [N, C] in front.
  template <class T>
  void pool_with_indices(const ops::Pooling& pooling, int64_t map, const T* src, T* dst, int64_t* indices) const {
    std::fill_n(dst, pooling.output_size(), lowest<T>());
    std::fill_n(indices, pooling.output_size(), int64_t{-1});
    for (int64_t row = 0; row < pooling.row_count(); ++row) {
      const int64_t first = row * pooling.output.back();
      for (const ops::Pooling::Tap& tap : pooling.taps(row)) {
        T* best = dst + first + tap.begin;
        int64_t* places = indices + first + tap.begin;
        const int64_t offset = tap.offset, stride = tap.stride, count = tap.end - tap.begin;
        for (int64_t i = 0; i < count; ++i) {  // without a branch, which nobody could predict
          const int64_t place = offset + i * stride;
          const T x = src[place];
          const bool takes = is_larger(x, best[i]) | (places[i] < 0);
          best[i] = takes ? x : best[i];
          places[i] = takes ? place : places[i];
        }
      }
    }
    const int64_t before = map * pooling.input_size(), count = pooling.output_size();
    for (int64_t i = 0; i < count; ++i) {
      const int64_t inside = column_major_ && indices[i] >= 0 ? column_major(pooling, indices[i]) : indices[i];
      indices[i] = before + inside;
    }
  }

  // The place of a row-major index when the first spatial axis runs fastest.
  static int64_t column_major(const ops::Pooling& pooling, int64_t index) {
    int64_t result = 0;
    int64_t rest = index;
    std::vector<int64_t> position(pooling.input.size());
    for (size_t axis = position.size(); axis-- > 0;) {
      position[axis] = rest % pooling.input[axis];
      rest /= pooling.input[axis];
    }
    for (size_t axis = position.size(); axis-- > 0;) result = result * pooling.input[axis] + position[axis];
    return result;
  }

  ops::WindowAttributes window_;
  bool column_major_;
};

}  // namespace

void register_max_pool(OpRegistry& registry) {
  const DTypeSet bytes = {DType::int8, DType::uint8};
  struct Group {
    std::vector<int64_t> versions;
    std::string_view signature;
    DTypeSet types;
  };
  const Group groups[] = {{{1}, "X:T -> Y:T", kIeeeFloats},
                          {{8, 10, 11}, "X:T -> Y:T, Indices:int64?", kIeeeFloats},
                          {{12}, "X:T -> Y:T, Indices:int64?", kIeeeFloats | bytes},
                          {{22}, "X:T -> Y:T, Indices:int64?", kFloats | bytes}};
  for (const Group& group : groups) {
    registry.add({.name = "MaxPool",
                  .versions = group.versions,
                  .signature = group.signature,
                  .types = {{.name = "T", .tensors = group.types}},
                  .create = make_operator<MaxPool>});
  }
}

}  // namespace onnxrun
