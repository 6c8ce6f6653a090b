// MaxUnpool: https://onnx.ai/onnx/operators/onnx__MaxUnpool.html, versions 9, 11, 22. Indices count through the tensor
// that the attributes give; where output_shape is larger along some axis, that tensor is the beginning of the output,
// otherwise output_shape replaces it. Of equal indices the last one wins.
#include <algorithm>

#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/element_width.h"
#include "ops/support/shape_rules.h"
#include "ops/support/strided_loop.h"
#include "ops/support/window.h"

namespace onnxrun {
namespace {

class MaxUnpool : public Operator {
 public:
  explicit MaxUnpool(AttributeReader& attributes)
      : kernel_(attributes.integers("kernel_shape")),
        strides_(attributes.integers("strides")),
        pads_(attributes.integers("pads")) {
    if (kernel_.empty()) throw Error(ErrorCode::invalid_model, "attribute 'kernel_shape' is required and absent");
    if (strides_.empty()) strides_.assign(kernel_.size(), 1);
    if (pads_.empty()) pads_.assign(2 * kernel_.size(), 0);
    if (strides_.size() != kernel_.size() || pads_.size() != 2 * kernel_.size()) {
      throw Error(ErrorCode::invalid_model, "kernel_shape, strides and pads are not for as many axes");
    }
  }

  void infer(InferContext& context) const override {
    const DimShape& x = context.shape(0);
    if (!x.has_rank()) return;
    if (x.rank() != kernel_.size() + 2) {
      context.fail("the kernel has " + std::to_string(kernel_.size()) + " axes for an input of rank " +
                   std::to_string(x.rank()));
    }
    const DimShape& indices = context.shape(1);
    if (x.is_concrete() && indices.is_concrete() && !(x == indices)) {
      context.fail("indices of shape " + indices.to_string() + " for an input of shape " + x.to_string());
    }
    DimShape shape = unpooled(x);
    if (context.has_input(2)) {
      const Content* content = context.required_content(2);
      if (content && content->size() != x.rank()) {
        context.fail("output_shape has " + std::to_string(content->size()) + " elements for rank " +
                     std::to_string(x.rank()));
      }
      shape = content ? DimShape(*content) : DimShape::of_rank(x.rank());
    }
    for (const Dim& extent : shape) {
      if (extent.is_number() && extent.number() < 0) context.fail("the output has the extent " + extent.to_string());
    }
    context.set_shape(0, std::move(shape));
  }

  void plan(PlanContext& context) const override {
    const Shape output = context.output(0).shape;
    Shape counted = unpooled(context.input(0).shape).concrete();
    bool grows = true;
    for (size_t axis = 0; axis < output.rank(); ++axis) grows = grows && output[axis] >= counted[axis];
    if (!grows) counted = output;
    const int64_t count = context.input(0).elements();
    ops::dispatch_width(context.input(0).dtype, [&]<class T>() {
      context.range(output.elements(), 0.1, [](const TileContext& tile, int64_t begin, int64_t end) {
        std::fill(tile.output<T>(0) + begin, tile.output<T>(0) + end, T{});
      });
      context.phase(1, static_cast<double>(count) * 2, [=](const TileContext& tile) {
        scatter(tile.input<T>(0), tile.input<int64_t>(1), count, counted, output, tile.output<T>(0));
      });
    });
  }

 private:
  // The shape by the attributes.
  DimShape unpooled(const DimShape& x) const {
    DimShape shape = x;
    for (size_t axis = 0; axis < kernel_.size(); ++axis) {
      shape[axis + 2] = (x[axis + 2] - Dim(1)) * Dim(strides_[axis]) + Dim(kernel_[axis]) - Dim(pads_[axis]) -
                        Dim(pads_[kernel_.size() + axis]);
    }
    return shape;
  }

  template <class T>
  static void scatter(const T* src, const int64_t* indices, int64_t count, const Shape& counted, const Shape& output,
                      T* dst) {
    const int64_t size = counted.elements();
    const auto strides = ops::row_major_strides(output);
    const bool is_whole = counted == output;
    for (int64_t i = 0; i < count; ++i) {
      int64_t rest = indices[i];
      if (rest < 0 || rest >= size) {
        throw Error(ErrorCode::run_failed,
                    "index " + std::to_string(rest) + " is not inside the " + std::to_string(size) + " elements");
      }
      if (is_whole) {
        dst[rest] = src[i];
        continue;
      }
      int64_t offset = 0;
      for (size_t axis = counted.rank(); axis-- > 0;) {
        offset += rest % counted[axis] * strides[axis];
        rest /= counted[axis];
      }
      dst[offset] = src[i];
    }
  }

  std::vector<int64_t> kernel_, strides_, pads_;
};

}  // namespace

void register_max_unpool(OpRegistry& registry) {
  const std::pair<std::vector<int64_t>, DTypeSet> groups[] = {{{9, 11}, kIeeeFloats}, {{22}, kFloats}};
  for (const auto& [versions, types] : groups) {
    registry.add({.name = "MaxUnpool",
                  .versions = versions,
                  .signature = "X:T1, I:int64, output_shape:int64? -> output:T1",
                  .types = {{.name = "T1", .tensors = types}},
                  .create = make_operator<MaxUnpool>});
  }
}

}  // namespace onnxrun
