// Dropout: https://onnx.ai/onnx/operators/onnx__Dropout.html, versions 1 and 6 (is_test), 7, 10 (inference alone), 12,
// 13, 22 (ratio and training_mode are inputs). Inference passes the input on, with a mask of ones. In training mode an
// element is dropped where the draw is below ratio; with a seed the draws are those of the Mersenne Twister of that
// seed (MT19937), 53 bits each, without one they differ from run to run. Versions 1 and 6 never train.
#include <algorithm>
#include <random>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "ops/support/elementwise.h"

namespace onnxrun {
namespace {

class Dropout : public Operator {
 public:
  explicit Dropout(AttributeReader& attributes) : version_(attributes.version()) {
    if (version_ < 12) ratio_ = attributes.number("ratio", 0.5F);
    if (version_ < 7) {
      attributes.ignore("consumed_inputs");
      attributes.ignore("is_test");
    }
    if (version_ >= 12 && attributes.has("seed")) seed_ = attributes.integer("seed", 0);
  }

  OperatorTraits traits() const override { return {.deterministic = version_ < 12 || seed_}; }

  void infer(InferContext& context) const override {
    context.set_type(0, context.type(0));
    // Before version 10 the mask has the input's element type.
    context.set_output(1, version_ < 10 ? context.dtype(0) : DType::boolean, context.shape(0));
  }

  void plan(PlanContext& context) const override {
    if (context.has_input(2)) {
      const Tensor* training = context.elements(2);
      if (!training || training->values<bool>()[0]) return;  // run() draws
    }
    context.view(0, 0);
    if (!context.wants(1)) return;
    const DType mask = context.output(1).dtype;
    context.range(context.output(1).elements(), 0.1, [mask](const TileContext& tile, int64_t begin, int64_t end) {
      dispatch_dtype<FloatTypes, bool>(
          mask, [&]<class T>() { std::fill(tile.output<T>(1) + begin, tile.output<T>(1) + end, T(1)); });
    });
  }

  void run(RunContext& context) const override {
    const TensorView x = context.input(0);
    const bool training = context.input(2).values<bool>()[0];
    double ratio = 0.5;
    if (context.has_input(1)) {
      const TensorView given = context.input(1);
      dispatch_dtype<FloatTypes>(given.dtype, [&]<class T>() { ratio = static_cast<double>(given.values<T>()[0]); });
    }
    if (ratio < 0 || ratio >= 1) RunContext::fail("ratio " + std::to_string(ratio) + " is not in [0, 1)");
    std::vector<bool> kept(static_cast<size_t>(x.elements()), true);
    if (training && ratio > 0) {
      std::mt19937 generator(seed_ ? static_cast<uint32_t>(*seed_) : std::random_device{}());
      // 53 random bits a draw, the higher 27 first.
      std::generate(kept.begin(), kept.end(), [&] {
        const auto high = static_cast<double>(generator() >> 5);
        const auto low = static_cast<double>(generator() >> 6);
        return (high * 67108864.0 + low) / 9007199254740992.0 >= ratio;
      });
    }
    const double scale = training ? 1 / (1 - ratio) : 1;
    dispatch_dtype<FloatTypes>(x.dtype, [&]<class T>() {
      T* out = context.output<T>(0, x.dtype, x.shape);
      const auto values = x.values<T>();
      for (size_t i = 0; i < kept.size(); ++i)
        out[i] = static_cast<T>(kept[i] ? static_cast<double>(values[i]) * scale : 0.0);
    });
    if (!context.wants(1)) return;
    bool* mask = context.output<bool>(1, DType::boolean, x.shape);
    std::copy(kept.begin(), kept.end(), mask);
  }

 private:
  int64_t version_;
  float ratio_ = 0.5F;
  std::optional<int64_t> seed_;
};

}  // namespace

void register_dropout(OpRegistry& registry) {
  struct Group {
    std::vector<int64_t> versions;
    std::string_view signature;
    DTypeSet types;
  };
  const Group groups[] = {{{1, 6, 7}, "data:T -> output:T, mask:T?", kIeeeFloats},
                          {{10}, "data:T -> output:T, mask:bool?", kIeeeFloats},
                          {{12}, "data:T, ratio:T1?, training_mode:bool? -> output:T, mask:bool?", kIeeeFloats},
                          {{13, 22}, "data:T, ratio:T1?, training_mode:bool? -> output:T, mask:bool?", kFloats}};
  for (const Group& group : groups) {
    registry.add({.name = "Dropout",
                  .versions = group.versions,
                  .signature = group.signature,
                  .types = {{.name = "T", .tensors = group.types}, {.name = "T1", .tensors = kFloats}},
                  .create = make_operator<Dropout>});
  }
}

}  // namespace onnxrun
