// ReverseSequence: https://onnx.ai/onnx/operators/onnx__ReverseSequence.html, version 10.
#include <algorithm>

#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/element_width.h"
#include "ops/support/elementwise.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

class ReverseSequence : public Operator {
 public:
  explicit ReverseSequence(AttributeReader& attributes)
      : batch_axis_(attributes.integer("batch_axis", 1)), time_axis_(attributes.integer("time_axis", 0)) {
    const bool fits = batch_axis_ + time_axis_ == 1 && (batch_axis_ == 0 || batch_axis_ == 1);
    if (!fits) throw Error(ErrorCode::invalid_model, "batch_axis and time_axis must be 0 and 1, in either order");
  }

  void infer(InferContext& context) const override {
    ops::infer_same(context);
    const DimShape& shape = context.shape(0);
    const DimShape& lengths = context.shape(1);
    if (!shape.has_rank()) return;
    if (shape.rank() < 2) context.fail("the input must have two dimensions");
    if (!lengths.has_rank()) return;
    const Dim& batch = shape[static_cast<size_t>(batch_axis_)];
    if (lengths.rank() != 1 || (lengths[0].is_number() && batch.is_number() && !(lengths[0] == batch))) {
      context.fail("sequence_lens must have the shape [" + batch.to_string() + "]");
    }
  }

  void plan(PlanContext& context) const override {
    const Shape& shape = context.input(0).shape;
    const int64_t inner = shape.elements(2, shape.rank());
    const int64_t rows = inner == 0 ? 0 : shape[0] * shape[1];
    const int64_t steps = shape[static_cast<size_t>(time_axis_)];
    const bool time_first = time_axis_ == 0;
    ops::dispatch_width(context.output(0).dtype, [&]<class T>() {
      context.range(
          rows, static_cast<double>(inner) * sizeof(T) * 0.1 + 5,
          [=, second = shape[1]](const TileContext& tile, int64_t begin, int64_t end) {
            for (int64_t row = begin; row < end; ++row) {
              const int64_t batch = time_first ? row % second : row / second;
              const int64_t step = time_first ? row / second : row % second;
              const int64_t length = tile.input<int64_t>(1)[batch];
              if (length < 0 || length > steps) {
                RunContext::fail("a sequence length is " + std::to_string(length) + " of " + std::to_string(steps));
              }
              const int64_t from = step < length ? length - 1 - step : step;
              const int64_t source = time_first ? from * second + batch : batch * second + from;
              std::copy_n(tile.input<T>(0) + source * inner, inner, tile.output<T>(0) + row * inner);
            }
          });
    });
  }

 private:
  int64_t batch_axis_;
  int64_t time_axis_;
};

}  // namespace

void register_reverse_sequence(OpRegistry& registry) {
  ops::add_versions(registry, {.name = "ReverseSequence",
                               .versions = {10},
                               .signature = "input:T, sequence_lens:int64 -> Y:T",
                               .create = make_operator<ReverseSequence>});
}

}  // namespace onnxrun
