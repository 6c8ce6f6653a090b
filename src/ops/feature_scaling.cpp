// Binarizer, Imputer, Normalizer, Scaler: version 1, https://onnx.ai/onnx/operators/onnx_aionnxml_Scaler.html and its
// like. The L1 norm is that of absolute values, the MAX norm the largest value as it is; L2 keeps signs. NaN as the
// value to impute means every NaN.
#include <algorithm>
#include <cmath>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/elementwise.h"
#include "ops/support/scores.h"

namespace onnxrun {
namespace {

using FeatureTypeList = TypeList<float, double, int64_t, int32_t>;

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::invalid_model, message); }

// Checks that a list of `size` elements is for every feature of the input or for all of them.
void check_feature_list(InferContext& context, size_t size, const char* name) {
  const DimShape& shape = context.shape(0);
  if (size <= 1 || !shape.has_rank()) return;
  const Dim features = shape.rank() == 0 ? Dim(1) : shape[shape.rank() - 1];
  if (features.is_number() && features.number() != static_cast<int64_t>(size)) {
    context.fail("attribute '" + std::string(name) + "' has " + std::to_string(size) + " elements, the input " +
                 features.to_string() + " features");
  }
}

// The innermost extent and the number of rows of that length.
struct Rows {
  int64_t count = 1;
  int64_t extent = 1;

  explicit Rows(const Shape& shape) {
    if (shape.rank() == 0) return;
    extent = shape.back();
    count = shape.elements(0, shape.rank() - 1);
  }
};

class Binarizer : public Operator {
 public:
  explicit Binarizer(AttributeReader& attributes) : threshold_(attributes.number("threshold", 0)) {}

  void infer(InferContext& context) const override { ops::infer_same(context); }

  void plan(PlanContext& context) const override {
    dispatch_dtype<FeatureTypeList>(context.input(0).dtype, [&]<class T>() {
      ops::plan_unary(context, 0.4, [threshold = threshold_](const void* src, void* dst, size_t n) {
        using Wide = std::conditional_t<std::is_same_v<T, float>, float, double>;
        for (size_t i = 0; i < n; ++i) {
          const bool above = static_cast<Wide>(static_cast<const T*>(src)[i]) > static_cast<Wide>(threshold);
          static_cast<T*>(dst)[i] = static_cast<T>(above ? 1 : 0);
        }
      });
    });
  }

 private:
  float threshold_;
};

class Imputer : public Operator {
 public:
  explicit Imputer(AttributeReader& attributes)
      : floats_(attributes.numbers("imputed_value_floats")),
        integers_(attributes.integers("imputed_value_int64s")),
        replaced_float_(attributes.number("replaced_value_float", 0)),
        replaced_integer_(attributes.integer("replaced_value_int64", 0)) {
    if (floats_.empty() != integers_.empty()) return;
    refuse("one of the attributes 'imputed_value_floats' and 'imputed_value_int64s' must be given");
  }

  void infer(InferContext& context) const override {
    const DType dtype = context.dtype(0);
    if (dtype != DType::undefined && floats_.empty() == kFloats.contains(dtype)) {
      context.fail("the imputed values are not of the input's type, " + std::string(dtype_name(dtype)));
    }
    check_feature_list(context, std::max(floats_.size(), integers_.size()), "imputed_value_*");
    ops::infer_same(context);
  }

  void plan(PlanContext& context) const override {
    dispatch_dtype<FeatureTypeList>(context.input(0).dtype, [&]<class T>() {
      if constexpr (std::is_integral_v<T>) {
        plan_as<T>(context, integers_, static_cast<T>(replaced_integer_),
                   static_cast<int64_t>(static_cast<T>(replaced_integer_)) == replaced_integer_);
      } else {
        plan_as<T>(context, floats_, static_cast<T>(replaced_float_), true);
      }
    });
  }

 private:
  template <class T, class V>
  static void plan_as(PlanContext& context, const std::vector<V>& values, T replaced, bool can_occur) {
    std::vector<T> imputed(values.begin(), values.end());
    const Rows rows(context.input(0).shape);
    imputed.resize(static_cast<size_t>(rows.extent), imputed[0]);
    context.in_place(0, 0);
    context.range(rows.extent == 0 ? 0 : rows.count, static_cast<double>(rows.extent) * 0.5 + 2,
                  [=, imputed = std::move(imputed)](const TileContext& tile, int64_t begin, int64_t end) {
                    const bool is_nan = replaced != replaced;
                    for (int64_t row = begin; row < end; ++row) {
                      const T* src = tile.input<T>(0) + row * rows.extent;
                      T* dst = tile.output<T>(0) + row * rows.extent;
                      for (int64_t i = 0; i < rows.extent; ++i) {
                        const bool hit = is_nan ? src[i] != src[i] : can_occur && src[i] == replaced;
                        dst[i] = hit ? imputed[static_cast<size_t>(i)] : src[i];
                      }
                    }
                  });
  }

  std::vector<float> floats_;
  std::vector<int64_t> integers_;
  float replaced_float_;
  int64_t replaced_integer_;
};

class Normalizer : public Operator {
 public:
  explicit Normalizer(AttributeReader& attributes) : norm_(attributes.one_of("norm", {"MAX", "L1", "L2"})) {}

  void infer(InferContext& context) const override {
    ops::feature_shape(context);
    context.set_output(0, DType::float32, context.shape(0));
  }

  void plan(PlanContext& context) const override {
    const ops::FeatureRows features(context);
    context.range(features.columns() == 0 ? 0 : features.rows(), static_cast<double>(features.columns()) + 5,
                  [=, this](const TileContext& tile, int64_t begin, int64_t end) {
                    const size_t n = features.columns();
                    for (int64_t i = begin; i < end; ++i) {
                      const float* src = features.row(tile, i);
                      const float divisor = divisor_of(src, n);
                      float* dst = tile.output<float>(0) + i * static_cast<int64_t>(n);
                      for (size_t k = 0; k < n; ++k) dst[k] = divisor == 0 ? src[k] : src[k] / divisor;
                    }
                  });
  }

 private:
  float divisor_of(const float* row, size_t n) const {
    if (norm_ == "MAX") return *std::max_element(row, row + n);
    if (norm_ == "L2") return std::sqrt(ops::dot_product(row, row, n));
    float sum = 0;
    for (size_t k = 0; k < n; ++k) sum += std::fabs(row[k]);
    return sum;
  }

  std::string norm_;
};

class Scaler : public Operator {
 public:
  explicit Scaler(AttributeReader& attributes)
      : offset_(attributes.numbers("offset")), scale_(attributes.numbers("scale")) {
    if (offset_.empty()) offset_ = {0};
    if (scale_.empty()) scale_ = {1};
  }

  void infer(InferContext& context) const override {
    check_feature_list(context, offset_.size(), "offset");
    check_feature_list(context, scale_.size(), "scale");
    context.set_output(0, DType::float32, context.shape(0));
  }

  void plan(PlanContext& context) const override {
    dispatch_dtype<FeatureTypeList>(context.input(0).dtype, [&]<class T>() {
      using Wide = std::conditional_t<std::is_same_v<T, float>, float, double>;
      const Rows rows(context.input(0).shape);
      std::vector<Wide> offset(offset_.begin(), offset_.end());
      std::vector<Wide> scale(scale_.begin(), scale_.end());
      offset.resize(static_cast<size_t>(rows.extent), offset[0]);
      scale.resize(static_cast<size_t>(rows.extent), scale[0]);
      context.range(rows.extent == 0 ? 0 : rows.count, static_cast<double>(rows.extent) * 0.5 + 2,
                    [rows, offset = std::move(offset), scale = std::move(scale)](const TileContext& tile, int64_t begin,
                                                                                 int64_t end) {
                      for (int64_t row = begin; row < end; ++row) {
                        const T* src = tile.input<T>(0) + row * rows.extent;
                        float* dst = tile.output<float>(0) + row * rows.extent;
                        for (int64_t i = 0; i < rows.extent; ++i) {
                          const auto k = static_cast<size_t>(i);
                          dst[i] = static_cast<float>((static_cast<Wide>(src[i]) - offset[k]) * scale[k]);
                        }
                      }
                    });
    });
  }

 private:
  std::vector<float> offset_;
  std::vector<float> scale_;
};

}  // namespace

void register_feature_scaling(OpRegistry& registry) {
  const auto add = [&](std::string_view name, std::string_view signature, OperatorFactory create) {
    registry.add({.domain = ops::kMlDomain,
                  .name = name,
                  .versions = {1},
                  .signature = signature,
                  .types = {{.name = "T", .tensors = ops::kFeatureTypes}},
                  .create = create});
  };
  add("Binarizer", "X:T -> Y:T", make_operator<Binarizer>);
  add("Imputer", "X:T -> Y:T", make_operator<Imputer>);
  add("Normalizer", "X:T -> Y:float32", make_operator<Normalizer>);
  add("Scaler", "X:T -> Y:float32", make_operator<Scaler>);
}

}  // namespace onnxrun
