// STFT: https://onnx.ai/onnx/operators/onnx__STFT.html, version 17. Computed in double and rounded once. Without a
// window and frame_length the frame is the whole signal; a signal shorter than a frame has none.
#include <memory>
#include <string>
#include <type_traits>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "ops/support/fourier.h"
#include "ops/support/shape_rules.h"

namespace onnxrun {
namespace {

enum Input : size_t { kSignal, kFrameStep, kWindow, kFrameLength };

class STFT : public Operator {
 public:
  explicit STFT(AttributeReader& attributes) : onesided_(attributes.flag("onesided", true)) {}

  void infer(InferContext& context) const override {
    const DimShape& signal = context.shape(kSignal);
    context.set_shape(0, DimShape::of_rank(4));
    const Dim step = scalar(context, kFrameStep);
    if (step.is_number() && step.number() < 1) context.fail("frame_step cannot be " + step.to_string());
    if (!signal.has_rank()) return;
    if (signal.rank() != 2 && signal.rank() != 3) {
      context.fail("the signal has the rank " + std::to_string(signal.rank()) + ", not 3");
    }
    if (signal.rank() == 3 && signal[2].is_number() && !signal[2].is(1)) {
      if (!signal[2].is(2)) context.fail("the signal's numbers have " + signal[2].to_string() + " parts");
      if (onesided_) context.fail("a one-sided spectrum needs a real signal");
    }
    const Dim frame = frame_length(context, signal[1]);
    if (frame.is_number() && frame.number() < 1) context.fail("frames cannot have the length " + frame.to_string());
    const Dim bins = onesided_ ? floor_div(frame, 2) + 1 : frame;
    context.set_shape(0, {signal[0], frame_count(signal[1], frame, step), bins, 2});
  }

  void plan(PlanContext& context) const override {
    const Shape& signal = context.input(kSignal).shape;
    const Shape& output = context.output(0).shape;
    const auto extent = static_cast<size_t>(signal[1]);
    const size_t parts = signal.rank() == 3 ? static_cast<size_t>(signal[2]) : 1;
    if (output[0] * output[1] == 0) return context.phase(0, 0, [](const TileContext&) {});
    const size_t length = context.has_input(kFrameLength) ? read(context, kFrameLength)
                          : context.has_input(kWindow)    ? static_cast<size_t>(context.input(kWindow).shape[0])
                                                          : extent;
    if (parts == 1) {
      plan_frames(context, std::make_shared<const ops::RealFourierTransform>(length), length);
    } else {
      plan_frames(context, std::make_shared<const ops::FourierTransform>(length, false), length);
    }
  }

 private:
  template <class Transform>
  static void plan_frames(PlanContext& context, const std::shared_ptr<const Transform>& transform, size_t length) {
    using Number = typename Transform::Number;
    constexpr bool kIsReal = std::is_same_v<Number, double>;
    const Shape& output = context.output(0).shape;
    const auto frames = static_cast<size_t>(output[1]), bins = static_cast<size_t>(output[2]);
    const auto extent = static_cast<size_t>(context.input(kSignal).shape[1]);
    const auto step = read(context, kFrameStep);
    const bool has_window = context.has_input(kWindow);
    context.scratch((2 * length + transform->scratch_size()) * sizeof(ops::ComplexNumber));
    dispatch_dtype<FloatTypes>(context.input(0).dtype, [&]<class T>() {
      const int64_t count = output[0] * output[1];
      context.range(count, transform->nanoseconds(), [=](const TileContext& tile, int64_t begin, int64_t end) {
        auto* y = reinterpret_cast<ops::ComplexNumber*>(tile.scratch);
        auto* x = reinterpret_cast<Number*>(y + length);
        const T* window = has_window ? tile.input<T>(kWindow) : nullptr;
        for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
          const T* src = tile.input<T>(kSignal) + (i / frames * extent + i % frames * step) * (kIsReal ? 1 : 2);
          for (size_t j = 0; j < length; ++j) {
            const double weight = window ? static_cast<double>(window[j]) : 1;
            if constexpr (kIsReal) {
              x[j] = static_cast<double>(src[j]) * weight;
            } else {
              x[j] = {static_cast<double>(src[2 * j]) * weight, static_cast<double>(src[2 * j + 1]) * weight};
            }
          }
          transform->run(x, y, y + 2 * length);
          if (kIsReal && bins == length) mirror(y, length);
          T* dst = tile.output<T>(0) + i * bins * 2;
          for (size_t j = 0; j < bins; ++j) {
            dst[2 * j] = static_cast<T>(y[j].re);
            dst[2 * j + 1] = static_cast<T>(y[j].im);
          }
        }
      });
    });
  }

  static size_t read(const PlanContext& context, size_t i) {
    return static_cast<size_t>(ops::read_integers(*context.elements(i)).front());
  }

  static Dim scalar(InferContext& context, size_t i) {
    const Content* content = context.required_content(i);
    return content && content->size() == 1 ? content->front() : Dim::unknown();
  }

  static Dim frame_length(InferContext& context, const Dim& signal) {
    Dim window = Dim::unknown();
    if (context.has_input(kWindow) && context.shape(kWindow).has_rank()) {
      if (context.shape(kWindow).rank() != 1) context.fail("the window is not a vector");
      window = context.shape(kWindow)[0];
    }
    if (!context.has_input(kFrameLength)) return context.has_input(kWindow) ? window : signal;
    Dim frame = scalar(context, kFrameLength);
    if (frame.is_number() && window.is_number() && !(frame == window)) {
      context.fail("the window has the length " + window.to_string() + ", frames have " + frame.to_string());
    }
    return frame;
  }

  static Dim frame_count(const Dim& signal, const Dim& frame, const Dim& step) {
    if (signal.is_number() && frame.is_number() && signal.number() < frame.number()) return 0;
    return floor_div(signal - frame, step) + 1;
  }

  bool onesided_;
};

}  // namespace

void register_stft(OpRegistry& registry) {
  registry.add({.name = "STFT",
                .versions = {17},
                .signature = "signal:T1, frame_step:T2, window:T1?, frame_length:T2? -> output:T1",
                .types = {{.name = "T1", .tensors = kFloats}, {.name = "T2", .tensors = {DType::int32, DType::int64}}},
                .create = make_operator<STFT>});
}

}  // namespace onnxrun
