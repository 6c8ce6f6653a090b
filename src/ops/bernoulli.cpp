// Bernoulli: https://onnx.ai/onnx/operators/onnx__Bernoulli.html, versions 15, 22. A probability below 0 counts as 0,
// one above 1 as 1, NaN as 0.
#include <algorithm>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/convert.h"
#include "ops/support/random.h"

namespace onnxrun {
namespace {

DTypeSet types_at(int64_t version) { return version < 22 ? kIeeeFloats : kFloats; }

DTypeSet results_at() { return kNumbers | DTypeSet{DType::boolean}; }

class Bernoulli : public Operator {
 public:
  explicit Bernoulli(AttributeReader& attributes)
      : seed_(attributes), dtype_(attributes.dtype("dtype", DType::undefined)) {
    if (dtype_ != DType::undefined && !results_at().contains(dtype_)) {
      throw Error(ErrorCode::invalid_model, "attribute 'dtype' cannot be " + std::string(dtype_name(dtype_)));
    }
  }

  OperatorTraits traits() const override { return {.deterministic = seed_.is_given()}; }

  void infer(InferContext& context) const override {
    context.set_output(0, dtype_ == DType::undefined ? context.dtype(0) : dtype_, context.shape(0));
  }

  void plan(PlanContext& context) const override {
    const DType from = context.input(0).dtype;
    const ops::Convert to_result = ops::make_convert(DType::boolean, context.output(0).dtype);
    const auto width = static_cast<int64_t>(byte_size(context.output(0).dtype, 1));
    seed_.plan(context, context.output(0).elements(), 6,
               [=](const TileContext& tile, const ops::RandomStream& stream, int64_t begin, int64_t end) {
                 constexpr int64_t kBlock = 256;
                 std::array<double, kBlock> u;
                 std::array<bool, kBlock> drawn;
                 for (int64_t i = begin; i < end; i += kBlock) {
                   const int64_t n = std::min(kBlock, end - i);
                   ops::draw_uniform(stream, 53, static_cast<uint64_t>(i), {u.data(), static_cast<size_t>(n)});
                   dispatch_dtype<FloatTypes>(from, [&]<class T>() {
                     const T* p = tile.input<T>(0) + i;
                     for (int64_t k = 0; k < n; ++k) drawn[k] = u[k] < static_cast<double>(p[k]);
                   });
                   to_result(drawn.data(), tile.output<std::byte>(0) + i * width, 0, n);
                 }
               });
  }

 private:
  ops::RandomSeed seed_;
  DType dtype_;
};

}  // namespace

void register_bernoulli(OpRegistry& registry) {
  for (const int64_t version : {15, 22}) {
    registry.add({.name = "Bernoulli",
                  .versions = {version},
                  .signature = "input:T1 -> output:T2",
                  .types = {{.name = "T1", .tensors = types_at(version)}, {.name = "T2", .tensors = results_at()}},
                  .create = make_operator<Bernoulli>});
  }
}

}  // namespace onnxrun
