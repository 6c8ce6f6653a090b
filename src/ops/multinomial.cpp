// Multinomial: https://onnx.ai/onnx/operators/onnx__Multinomial.html, versions 7, 22. Class c of a row is drawn with
// probability proportional to exp(input[row, c]). A class of NaN is never drawn; where there are infinite ones, only
// those are, each as likely as the other.
#include <algorithm>
#include <cmath>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/random.h"

namespace onnxrun {
namespace {

// The running sums of the classes' weights, largest weight 1, in `sums`. \throws Error(run_failed) where nothing can be
// drawn.
template <class T>
void sum_weights(const T* logits, int64_t row, int64_t classes, double* sums) {
  double largest = -std::numeric_limits<double>::infinity();
  for (int64_t c = 0; c < classes; ++c) largest = std::fmax(largest, static_cast<double>(logits[c]));
  double sum = 0;
  for (int64_t c = 0; c < classes; ++c) {
    const auto logit = static_cast<double>(logits[c]);
    if (logit == largest) {
      sum += 1;
    } else if (logit < largest) {
      sum += std::exp(logit - largest);
    }
    sums[c] = sum;
  }
  if (std::isinf(largest) && largest < 0) {
    throw Error(ErrorCode::run_failed, "row " + std::to_string(row) + " has no class that can be drawn");
  }
}

class Multinomial : public Operator {
 public:
  explicit Multinomial(AttributeReader& attributes)
      : seed_(attributes),
        dtype_(attributes.dtype("dtype", DType::int32)),
        sample_size_(attributes.integer("sample_size", 1)) {
    if (dtype_ != DType::int32 && dtype_ != DType::int64) {
      throw Error(ErrorCode::invalid_model, "attribute 'dtype' must be int32 or int64");
    }
    if (sample_size_ < 0) throw Error(ErrorCode::invalid_model, "attribute 'sample_size' is negative");
  }

  OperatorTraits traits() const override { return {.deterministic = seed_.is_given()}; }

  void infer(InferContext& context) const override {
    const DimShape& shape = context.shape(0);
    if (shape.has_rank() && shape.rank() != 2) context.fail("the input must be [batch_size, class_size]");
    context.set_output(0, dtype_, {shape.has_rank() ? shape[0] : Dim::unknown(), sample_size_});
  }

  void plan(PlanContext& context) const override {
    const int64_t classes = context.input(0).shape[1];
    const size_t scratch = context.scratch(static_cast<size_t>(classes) * sizeof(double));
    seed_.plan(context, sample_size_ == 0 ? 0 : context.input(0).shape[0],
               static_cast<double>(classes) * 15 + static_cast<double>(sample_size_) * 20,
               [=, samples = sample_size_, from = context.input(0).dtype, to = dtype_](
                   const TileContext& tile, const ops::RandomStream& stream, int64_t begin, int64_t end) {
                 auto* sums = reinterpret_cast<double*>(tile.scratch + scratch);
                 for (int64_t row = begin; row < end; ++row) {
                   dispatch_dtype<FloatTypes>(
                       from, [&]<class T>() { sum_weights(tile.input<T>(0) + row * classes, row, classes, sums); });
                   for (int64_t i = row * samples; i < (row + 1) * samples; ++i) {
                     double u = 0;
                     ops::draw_uniform(stream, 53, static_cast<uint64_t>(i), {&u, 1});
                     const int64_t c = std::upper_bound(sums, sums + classes, u * sums[classes - 1]) - sums;
                     dispatch_dtype<int32_t, int64_t>(
                         to, [&]<class T>() { tile.output<T>(0)[i] = static_cast<T>(std::min(c, classes - 1)); });
                   }
                 }
               });
  }

 private:
  ops::RandomSeed seed_;
  DType dtype_;
  int64_t sample_size_;
};

}  // namespace

void register_multinomial(OpRegistry& registry) {
  for (const int64_t version : {7, 22}) {
    registry.add({.name = "Multinomial",
                  .versions = {version},
                  .signature = "input:T1 -> output:T2",
                  .types = {{.name = "T1", .tensors = version < 22 ? kIeeeFloats : kFloats},
                            {.name = "T2", .tensors = {DType::int32, DType::int64}}},
                  .create = make_operator<Multinomial>});
  }
}

}  // namespace onnxrun
