// Split: https://onnx.ai/onnx/operators/onnx__Split.html, versions 1 (sizes as attribute or as an input of the data's
// type), 2, 11 (negative axis), 13 (sizes as an input), 18 (num_outputs). Views where the parts lie in the input as one
// run.
#include <algorithm>

#include "base/dispatch_dtype.h"
#include "graph/registry.h"
#include "ops/support/shape_rules.h"
#include "ops/support/strided_copy.h"
#include "ops/support/versions.h"

namespace onnxrun {
namespace {

class Split : public Operator {
 public:
  explicit Split(AttributeReader& attributes) : version_(attributes.version()), axis_(attributes.integer("axis", 0)) {
    if (version_ < 13) sizes_ = attributes.optional_integers("split");
    if (version_ >= 18 && attributes.has("num_outputs")) count_ = attributes.required_integer("num_outputs");
  }

  void infer(InferContext& context) const override {
    const DimShape& shape = context.shape(0);
    const auto outputs = static_cast<int64_t>(context.output_count());
    if (count_ && *count_ != outputs) {
      context.fail("num_outputs is " + std::to_string(*count_) + ", the node has " + std::to_string(outputs));
    }
    bool known = true;
    const auto sizes = given_sizes(context, known);
    if (!shape.has_rank()) return;
    const size_t axis = ops::normalize_axis(axis_, shape.rank());
    const Dim& extent = shape[axis];
    if (sizes) check(context, *sizes, extent);
    const bool even_only = version_ < 18;
    if (!sizes && known && even_only && extent.is_number() && extent.number() % outputs != 0) {
      context.fail("an extent of " + extent.to_string() + " cannot be split into " + std::to_string(outputs) +
                   " equal parts");
    }
    const Dim chunk = even_only ? floor_div(extent, outputs) : ceil_div(extent, outputs);
    Dim rest = extent;
    int64_t begin = 0;
    for (size_t j = 0; j < context.output_count(); ++j) {
      DimShape part = shape;
      part[axis] = Dim::unknown();
      if (sizes) {
        part[axis] = (*sizes)[j];
      } else if (known) {
        const bool is_last = j + 1 == context.output_count();
        part[axis] = extent.is_number() ? min(max(rest, 0), chunk) : even_only || !is_last ? chunk : rest;
        rest = rest - chunk;
      }
      set_content(context, j, begin, part);
      context.set_shape(j, std::move(part));
    }
  }

  void plan(PlanContext& context) const override {
    const Shape& input = context.input(0).shape;
    const size_t axis = ops::normalize_axis(axis_, input.rank());
    const int64_t inner = input.elements(axis + 1, input.rank());
    const int64_t outer = input.elements(0, axis);
    int64_t offset = 0;
    const std::vector<int64_t> sizes = part_sizes(context, input[axis]);
    for (size_t j = 0; j < context.output_count(); ++j) {
      const int64_t run = sizes[j] * inner;
      ops::StridedCopy copy;
      copy.src_offset = offset;
      copy.add_axis(outer, input[axis] * inner, run);
      copy.add_axis(run, 1, 1);
      if (context.wants(j)) ops::plan_part(context, 0, j, copy);
      offset += run;
    }
  }

 private:
  std::optional<std::vector<int64_t>> given_sizes(InferContext& context, bool& known) const {
    if (sizes_ || !context.has_input(1)) return sizes_;
    const Tensor* tensor = context.required_constant(1);
    known = tensor != nullptr;
    if (!tensor) return std::nullopt;
    return integers_of(*tensor);
  }

  static std::vector<int64_t> integers_of(const Tensor& tensor) {
    if (tensor.dtype() == DType::int64) return ops::read_integers(tensor);
    std::vector<int64_t> integers;
    dispatch_dtype<float, double, Half>(tensor.dtype(), [&]<class T>() {
      for (const T value : tensor.values<T>()) {
        const auto number = static_cast<double>(value);
        integers.push_back(number >= 0 && number < 0x1p62 ? static_cast<int64_t>(number) : -1);
      }
    });
    return integers;
  }

  static void check(const InferContext& context, const std::vector<int64_t>& sizes, const Dim& extent) {
    if (sizes.size() != context.output_count()) {
      context.fail("split has " + std::to_string(sizes.size()) + " sizes for " +
                   std::to_string(context.output_count()) + " outputs");
    }
    Dim total = 0;
    for (const int64_t size : sizes) {
      if (size < 0) context.fail("split has the size " + std::to_string(size));
      total = total + Dim(size);
    }
    if (!total.is_number() || (extent.is_number() && !(total == extent))) {
      context.fail("split adds up to " + total.to_string() + ", the extent is " + extent.to_string());
    }
  }

  static void set_content(InferContext& context, size_t j, int64_t& begin, const DimShape& part) {
    const Content* elements = context.content(0);
    if (!elements || part.rank() != 1 || begin < 0) return;
    if (!part[0].is_number()) {
      begin = -1;
      return;
    }
    const auto first = elements->begin() + begin;
    context.set_content(j, Content(first, first + part[0].number()));
    begin += part[0].number();
  }

  // Outputs that nobody wants have no type, but a size.
  std::vector<int64_t> part_sizes(const PlanContext& context, int64_t extent) const {
    if (sizes_) return *sizes_;
    if (context.has_input(1)) return integers_of(*context.elements(1));
    const auto count = static_cast<int64_t>(context.output_count());
    const int64_t chunk = (extent + count - 1) / count;
    std::vector<int64_t> sizes;
    for (int64_t rest = extent; static_cast<int64_t>(sizes.size()) < count; rest -= sizes.back()) {
      sizes.push_back(std::min(rest, chunk));
    }
    return sizes;
  }

  int64_t version_;
  int64_t axis_;
  std::optional<std::vector<int64_t>> sizes_;
  std::optional<int64_t> count_;
};

}  // namespace

void register_split(OpRegistry& registry) {
  registry.add({.name = "Split",
                .versions = {1},
                .signature = "input:T, split:T? -> outputs:T...",
                .types = {{.name = "T", .tensors = kIeeeFloats}},
                .create = make_operator<Split>});
  ops::add_versions(
      registry,
      {.name = "Split", .versions = {2, 11}, .signature = "input:T -> outputs:T...", .create = make_operator<Split>});
  ops::add_versions(registry, {.name = "Split",
                               .versions = {13, 18},
                               .signature = "input:T, split:int64? -> outputs:T...",
                               .create = make_operator<Split>});
}

}  // namespace onnxrun
