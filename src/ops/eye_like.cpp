// EyeLike: https://onnx.ai/onnx/operators/onnx__EyeLike.html, versions 9, 22.
#include <algorithm>

#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/convert.h"
#include "ops/support/element_width.h"

namespace onnxrun {
namespace {

DTypeSet types_at(int64_t version) {
  return kIntegers | DTypeSet{DType::boolean} | (version < 22 ? kIeeeFloats : kFloats);
}

class EyeLike : public Operator {
 public:
  explicit EyeLike(AttributeReader& attributes)
      : dtype_(attributes.dtype("dtype", DType::undefined)), k_(attributes.integer("k", 0)) {
    if (dtype_ != DType::undefined && !types_at(attributes.version()).contains(dtype_)) {
      throw Error(ErrorCode::invalid_model, "attribute 'dtype' cannot be " + std::string(dtype_name(dtype_)));
    }
  }

  void infer(InferContext& context) const override {
    const DimShape& shape = context.shape(0);
    if (shape.has_rank() && shape.rank() != 2) context.fail("the input must have two dimensions");
    context.set_output(0, dtype_ == DType::undefined ? context.dtype(0) : dtype_, shape);
  }

  void plan(PlanContext& context) const override {
    const TensorType& output = context.output(0);
    const int64_t rows = output.shape[0];
    const int64_t columns = output.shape[1];
    const int64_t k = std::clamp(k_, -rows, columns);
    ops::dispatch_width(output.dtype, [&]<class T>() {
      T one{};
      const int64_t number = 1;
      if constexpr (!std::is_same_v<T, std::string>) ops::make_convert(DType::int64, output.dtype)(&number, &one, 0, 1);
      context.range(columns == 0 ? 0 : rows, static_cast<double>(columns) * 0.2 + 2,
                    [=](const TileContext& tile, int64_t begin, int64_t end) {
                      T* dst = tile.output<T>(0);
                      std::fill(dst + begin * columns, dst + end * columns, T());
                      for (int64_t row = begin; row < end; ++row) {
                        if (row + k >= 0 && row + k < columns) dst[row * columns + row + k] = one;
                      }
                    });
    });
  }

 private:
  DType dtype_;
  int64_t k_;
};

}  // namespace

void register_eye_like(OpRegistry& registry) {
  for (const int64_t version : {9, 22}) {
    registry.add({.name = "EyeLike",
                  .versions = {version},
                  .signature = "input:T1 -> output:T2",
                  .types = {{.name = "T1", .tensors = types_at(version)}, {.name = "T2", .tensors = types_at(version)}},
                  .create = make_operator<EyeLike>});
  }
}

}  // namespace onnxrun
