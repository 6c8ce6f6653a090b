// RegexFullMatch: https://onnx.ai/onnx/operators/onnx__RegexFullMatch.html, version 20.
#include "graph/registry.h"
#include "media/regex.h"

namespace onnxrun {
namespace {

class RegexFullMatch : public Operator {
 public:
  explicit RegexFullMatch(AttributeReader& attributes) : regex_(attributes.string("pattern", "")) {}

  void infer(InferContext& context) const override { context.set_output(0, DType::boolean, context.shape(0)); }

  void plan(PlanContext& context) const override {
    context.range(context.output(0).elements(), 200, [this](const TileContext& tile, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        tile.output<bool>(0)[i] = regex_.matches_whole(tile.input<std::string>(0)[i]);
      }
    });
  }

 private:
  Regex regex_;
};

}  // namespace

void register_regex_full_match(OpRegistry& registry) {
  registry.add({.name = "RegexFullMatch",
                .versions = {20},
                .signature = "X:T1 -> Y:T2",
                .types = {{.name = "T1", .tensors = {DType::string}}, {.name = "T2", .tensors = {DType::boolean}}},
                .create = make_operator<RegexFullMatch>});
}

}  // namespace onnxrun
