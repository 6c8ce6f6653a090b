// RandomNormal, RandomNormalLike, RandomUniform, RandomUniformLike: versions 1, 22,
// https://onnx.ai/onnx/operators/onnx__RandomNormal.html and its like. Uniform numbers have as many random bits as the
// element type has significant ones, and lie in [low, high) but for the rounding of low + (high - low) * u. See
// ops/support/random.h for what a seed means.
#include "ops/support/random.h"

#include <algorithm>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "onnxrun/error.h"
#include "ops/support/elementwise.h"

namespace onnxrun {
namespace {

enum class Distribution : uint8_t { normal, uniform };

DTypeSet types_at(int64_t version) { return version < 22 ? kIeeeFloats : kFloats; }

// a + b * u of standard random numbers u, as the element type.
struct Draw {
  Distribution distribution;
  double a, b;

  void operator()(const ops::RandomStream& stream, DType dtype, void* dst, int64_t begin, int64_t end) const {
    constexpr int64_t kBlock = 256;
    std::array<double, kBlock> u;
    const bool is_normal = distribution == Distribution::normal;
    // The quantile function wants more bits than the result has, and never 0.
    const int bits = !is_normal ? ops::significant_bits(dtype) : dtype == DType::float64 ? 52 : 32;
    const double half_unit = is_normal ? std::ldexp(0.5, -bits) : 0;
    for (int64_t i = begin; i < end; i += kBlock) {
      const int64_t n = std::min(kBlock, end - i);
      ops::draw_uniform(stream, bits, static_cast<uint64_t>(i), {u.data(), static_cast<size_t>(n)});
      if (is_normal) {
        for (int64_t k = 0; k < n; ++k) u[k] = ops::normal_quantile(u[k] + half_unit);
      }
      dispatch_dtype<FloatTypes>(dtype, [&]<class T>() {
        for (int64_t k = 0; k < n; ++k) static_cast<T*>(dst)[i + k] = static_cast<T>(a + b * u[k]);
      });
    }
  }
};

template <Distribution distribution, bool like>
class Random : public Operator {
 public:
  explicit Random(AttributeReader& attributes)
      : seed_(attributes), dtype_(attributes.dtype("dtype", like ? DType::undefined : DType::float32)) {
    if constexpr (distribution == Distribution::normal) {
      a_ = attributes.number("mean", 0);
      b_ = attributes.number("scale", 1);
    } else {
      a_ = attributes.number("low", 0);
      b_ = static_cast<double>(attributes.number("high", 1)) - a_;
    }
    version_ = attributes.version();
    if (dtype_ != DType::undefined) check(dtype_);
    if constexpr (like) return;
    const auto shape = attributes.optional_integers("shape");
    if (!shape) throw Error(ErrorCode::invalid_model, "attribute 'shape' is required and absent");
    for (const int64_t extent : *shape) {
      if (extent < 0) throw Error(ErrorCode::invalid_model, "attribute 'shape' has " + std::to_string(extent));
    }
    shape_ = Shape(std::span<const int64_t>(*shape));
  }

  OperatorTraits traits() const override { return {.deterministic = seed_.is_given()}; }

  void infer(InferContext& context) const override {
    if constexpr (like) {
      const DType dtype = dtype_ == DType::undefined ? context.dtype(0) : dtype_;
      if (dtype != DType::undefined) check(dtype);
      context.set_output(0, dtype, context.shape(0));
    } else {
      context.set_output(0, dtype_, shape_);
    }
  }

  void plan(PlanContext& context) const override {
    const TensorType& output = context.output(0);
    seed_.plan(context, output.elements(), distribution == Distribution::normal ? 20 : 5,
               [draw = Draw{distribution, a_, b_}, dtype = output.dtype](
                   const TileContext& tile, const ops::RandomStream& stream, int64_t begin, int64_t end) {
                 draw(stream, dtype, tile.output(0), begin, end);
               });
  }

 private:
  void check(DType dtype) const {
    if (types_at(version_).contains(dtype)) return;
    throw Error(ErrorCode::invalid_model, "random elements cannot be " + std::string(dtype_name(dtype)));
  }

  ops::RandomSeed seed_;
  DType dtype_;
  int64_t version_ = 0;
  double a_ = 0;
  double b_ = 1;
  Shape shape_;
};

template <Distribution distribution, bool like>
void add(OpRegistry& registry, std::string_view name) {
  for (const int64_t version : {1, 22}) {
    registry.add({.name = name,
                  .versions = {version},
                  .signature = like ? "input:T1 -> output:T2" : "-> output:T2",
                  .types = {{.name = "T1", .tensors = kClassicTypes | types_at(version)},
                            {.name = "T2", .tensors = types_at(version)}},
                  .create = make_operator<Random<distribution, like>>});
  }
}

}  // namespace

void register_random(OpRegistry& registry) {
  add<Distribution::normal, false>(registry, "RandomNormal");
  add<Distribution::normal, true>(registry, "RandomNormalLike");
  add<Distribution::uniform, false>(registry, "RandomUniform");
  add<Distribution::uniform, true>(registry, "RandomUniformLike");
}

}  // namespace onnxrun
