// DFT: https://onnx.ai/onnx/operators/onnx__DFT.html, versions 17, 20 (axis as an input). Computed in double and
// rounded once. The inverse of a one-sided spectrum takes the numbers that it lacks from the symmetry.
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "ops/support/fourier.h"
#include "ops/support/shape_rules.h"

namespace onnxrun {
namespace {

constexpr size_t kLength = 1;  // inputs
constexpr size_t kAxis = 2;

class DFT : public Operator {
 public:
  explicit DFT(AttributeReader& attributes)
      : inverse_(attributes.flag("inverse", false)), onesided_(attributes.flag("onesided", false)) {
    axis_is_input_ = attributes.version() >= 20;
    axis_ = axis_is_input_ ? -2 : attributes.integer("axis", 1);
  }

  void infer(InferContext& context) const override {
    const DimShape& input = context.shape(0);
    if (!input.has_rank()) return;
    check_input(context);
    const bool has_length = context.has_input(kLength);
    const Content* length = has_length ? context.required_content(kLength) : nullptr;
    int64_t axis = axis_;
    const Content* given_axis = nullptr;
    if (axis_is_input_ && context.has_input(kAxis)) {
      given_axis = context.required_content(kAxis);
      const auto known = ops::numbers(given_axis);
      if (!known || known->size() != 1) return context.set_shape(0, DimShape::of_rank(input.rank()));
      axis = known->front();
    }
    const size_t at = ops::normalize_axis(axis, input.rank());
    if (at + 1 == input.rank()) context.fail("axis " + std::to_string(axis) + " is that of real and imaginary parts");
    Dim extent = input[at];
    if (has_length) {
      extent = length && length->size() == 1 ? length->front() : Dim::unknown();
    } else if (inverse_ && onesided_) {
      extent = (extent - 1) * 2;
    }
    if (extent.is_number() && extent.number() < 1) {
      context.fail("a transform of length " + extent.to_string() + " along axis " + std::to_string(axis));
    }
    DimShape shape = input;
    shape[at] = onesided_ && !inverse_ ? floor_div(extent, 2) + 1 : extent;
    shape[input.rank() - 1] = onesided_ && inverse_ ? 1 : 2;
    context.set_shape(0, std::move(shape));
  }

  void plan(PlanContext& context) const override {
    const Shape& input = context.input(0).shape;
    const Shape& output = context.output(0).shape;
    Lines lines;
    const size_t at = ops::normalize_axis(
        axis_is_input_ && context.has_input(kAxis) ? ops::read_integers(*context.elements(kAxis)).front() : axis_,
        input.rank());
    lines.inner = static_cast<size_t>(input.elements(at + 1, input.rank() - 1));
    lines.source = static_cast<size_t>(input[at]);
    lines.target = static_cast<size_t>(output[at]);
    lines.parts = static_cast<size_t>(input.back());
    lines.length = lines.target;
    if (onesided_ && !inverse_) {
      lines.length = context.has_input(kLength)
                         ? static_cast<size_t>(ops::read_integers(*context.elements(kLength)).front())
                         : lines.source;
    }
    const int64_t count = input.elements(0, at) * static_cast<int64_t>(lines.inner);
    if (count == 0) return context.phase(0, 0, [](const TileContext&) {});
    if (lines.parts == 1 && !inverse_) {
      plan_lines(context, std::make_shared<const ops::RealFourierTransform>(lines.length), lines, count);
    } else {
      plan_lines(context, std::make_shared<const ops::FourierTransform>(lines.length, inverse_), lines, count);
    }
  }

 private:
  // Both tensors as [outer, source or target, inner, parts].
  struct Lines {
    size_t source = 0, target = 0, inner = 1;
    size_t parts = 1;  // of the input: 1 where it is real
    size_t length = 1;
  };

  template <class Transform>
  void plan_lines(PlanContext& context, const std::shared_ptr<const Transform>& transform, const Lines& lines,
                  int64_t count) const {
    using Number = typename Transform::Number;
    context.scratch((2 * lines.length + transform->scratch_size()) * sizeof(ops::ComplexNumber));
    dispatch_dtype<FloatTypes>(context.input(0).dtype, [&]<class T>() {
      context.range(count, transform->nanoseconds(), [=, *this](const TileContext& tile, int64_t begin, int64_t end) {
        auto* y = reinterpret_cast<ops::ComplexNumber*>(tile.scratch);
        auto* x = reinterpret_cast<Number*>(y + lines.length);
        for (int64_t i = begin; i < end; ++i) {
          const auto line = static_cast<size_t>(i);
          load(lines, tile.input<T>(0), line, x);
          transform->run(x, y, y + 2 * lines.length);
          if (std::is_same_v<Number, double>) ops::mirror(y, lines.length);
          store(lines, y, line, tile.output<T>(0));
        }
      });
    });
  }

  void check_input(const InferContext& context) const {
    const DimShape& input = context.shape(0);
    if (input.rank() < 2) context.fail("the input has the rank " + std::to_string(input.rank()) + ", below 2");
    const Dim& parts = input[input.rank() - 1];
    if (!parts.is_number()) return;
    if (!parts.is(1) && !parts.is(2)) {
      context.fail("the last axis, of real and imaginary parts, has the extent " + parts.to_string());
    }
    if (onesided_ && !parts.is(inverse_ ? 2 : 1)) {
      context.fail(inverse_ ? "the inverse of a one-sided spectrum needs complex input"
                            : "a one-sided spectrum needs real input");
    }
  }

  template <class T, class Number>
  void load(const Lines& lines, const T* src, size_t line, Number* dst) const {
    const size_t first = (line / lines.inner * lines.source * lines.inner + line % lines.inner) * lines.parts;
    const bool mirrored = onesided_ && inverse_;
    const size_t given = std::min(lines.source, mirrored ? lines.length / 2 + 1 : lines.length);
    for (size_t j = 0; j < given; ++j) {
      const T* number = src + first + j * lines.inner * lines.parts;
      if constexpr (std::is_same_v<Number, double>) {
        dst[j] = static_cast<double>(number[0]);
      } else {
        dst[j] = {static_cast<double>(number[0]), lines.parts == 2 ? static_cast<double>(number[1]) : 0};
      }
    }
    for (size_t j = given; j < lines.length; ++j) dst[j] = {};
    if constexpr (!std::is_same_v<Number, double>) {
      if (mirrored) ops::mirror(dst, lines.length);
    }
  }

  template <class T>
  void store(const Lines& lines, const ops::ComplexNumber* src, size_t line, T* dst) const {
    const size_t parts = onesided_ && inverse_ ? 1 : 2;
    const double count = inverse_ ? static_cast<double>(lines.length) : 1;
    T* first = dst + (line / lines.inner * lines.target * lines.inner + line % lines.inner) * parts;
    for (size_t j = 0; j < lines.target; ++j) {
      T* number = first + j * lines.inner * parts;
      number[0] = static_cast<T>(src[j].re / count);
      if (parts == 2) number[1] = static_cast<T>(src[j].im / count);
    }
  }

  bool inverse_;
  bool onesided_;
  bool axis_is_input_ = false;
  int64_t axis_ = 0;
};

}  // namespace

void register_dft(OpRegistry& registry) {
  const std::vector<TypeConstraint> types = {{.name = "T1", .tensors = kFloats},
                                             {.name = "T2", .tensors = {DType::int32, DType::int64}}};
  registry.add({.name = "DFT",
                .versions = {17},
                .signature = "input:T1, dft_length:T2? -> output:T1",
                .types = types,
                .create = make_operator<DFT>});
  registry.add({.name = "DFT",
                .versions = {20},
                .signature = "input:T1, dft_length:T2?, axis:int64? -> output:T1",
                .types = types,
                .create = make_operator<DFT>});
}

}  // namespace onnxrun
