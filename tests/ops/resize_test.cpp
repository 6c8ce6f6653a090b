#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "support/op_tester.h"

namespace onnxrun {
namespace {

using Attributes = ModelBuilder::Attributes;

const Value kNone;

// One axis by the formulas of the specification, in double precision: taps of position x that look at `original`.
struct Reference {
  int64_t input, output;
  std::function<double(double)> original;
  std::function<double(double)> filter;
  int64_t radius;

  std::vector<double> weights(int64_t x) const {
    const double center = original(static_cast<double>(x));
    std::vector<double> result(static_cast<size_t>(input), 0.0);
    for (int64_t tap = -radius + 1; tap <= radius; ++tap) {
      const double at = std::floor(center) + static_cast<double>(tap);
      const int64_t inside = std::min(std::max<int64_t>(static_cast<int64_t>(at), 0), input - 1);
      result[static_cast<size_t>(inside)] += filter(std::abs(at - center));
    }
    return result;
  }
};

double triangle(double x) { return std::max(0.0, 1 - x); }
double keys(double x) {
  const double a = -0.75;
  if (x <= 1) return (a + 2) * x * x * x - (a + 3) * x * x + 1;
  return x < 2 ? a * x * x * x - 5 * a * x * x + 8 * a * x - 4 * a : 0;
}

// The last two axes of [n, h, w].
std::vector<double> resample(const std::vector<float>& src, int64_t n, const Reference& rows,
                             const Reference& columns) {
  std::vector<double> dst;
  for (int64_t map = 0; map < n; ++map) {
    for (int64_t y = 0; y < rows.output; ++y) {
      for (int64_t x = 0; x < columns.output; ++x) {
        const auto wy = rows.weights(y);
        const auto wx = columns.weights(x);
        double sum = 0;
        for (int64_t i = 0; i < rows.input; ++i) {
          for (int64_t j = 0; j < columns.input; ++j) {
            sum += wy[static_cast<size_t>(i)] * wx[static_cast<size_t>(j)] *
                   static_cast<double>(src[static_cast<size_t>((map * rows.input + i) * columns.input + j)]);
          }
        }
        dst.push_back(sum);
      }
    }
  }
  return dst;
}

TEST(Resize, InterpolatesLikeTheFormulas) {
  const int64_t h = 9, w = 21, oh = 23, ow = 34;
  const Tensor x = random_floats({3, h, w}, 7);
  const std::vector<float> src(x.values<float>().begin(), x.values<float>().end());
  const auto half_pixel = [](int64_t in, int64_t out) {
    return [=](double p) { return (p + 0.5) * static_cast<double>(in) / static_cast<double>(out) - 0.5; };
  };
  const auto corners = [](int64_t in, int64_t out) {
    return [=](double p) { return p * static_cast<double>(in - 1) / static_cast<double>(out - 1); };
  };
  const auto expect = [&](const std::string& mode, const std::string& transformation, const auto& original) {
    const auto filter = mode == "linear" ? triangle : keys;
    const int64_t radius = mode == "linear" ? 1 : 2;
    const auto expected =
        resample(src, 3, {h, oh, original(h, oh), filter, radius}, {w, ow, original(w, ow), filter, radius});
    for (const DType dtype : {DType::float32, DType::float64, DType::float16, DType::bfloat16}) {
      const bool is_half = dtype == DType::float16 || dtype == DType::bfloat16;
      const std::vector<double> values(src.begin(), src.end());
      expect_op({.op = "Resize",
                 .inputs = {numbers(dtype, {3, h, w}, values), kNone, kNone, integers({3}, {3, oh, ow})},
                 .outputs = {numbers(dtype, {3, oh, ow}, expected)},
                 .attributes = {{"mode", mode}, {"coordinate_transformation_mode", transformation}},
                 .relative = is_half ? 2e-2 : 1e-5,
                 .absolute = is_half ? 2e-2 : 1e-5});
    }
  };
  expect("linear", "half_pixel", half_pixel);
  expect("cubic", "half_pixel", half_pixel);
  expect("linear", "align_corners", corners);
  expect("cubic", "align_corners", corners);
}

TEST(Resize, SelectsByNearestMode) {
  // half_pixel by 2: positions -0.25, 0.25, 0.75, 1.25; asymmetric to three of six: 0, 2, 4; by 4: halves.
  const auto expect = [](const std::string& nearest, const std::string& transformation, int64_t size,
                         const std::vector<float>& expected) {
    expect_op({.op = "Resize",
               .inputs = {floats({2}, {1, 2}), kNone, kNone, integers({1}, {size})},
               .outputs = {floats({size}, expected)},
               .attributes = {{"nearest_mode", nearest}, {"coordinate_transformation_mode", transformation}}});
  };
  expect("round_prefer_floor", "half_pixel", 4, {1, 1, 2, 2});
  expect("floor", "half_pixel", 4, {1, 1, 1, 2});
  expect("ceil", "half_pixel", 4, {1, 2, 2, 2});
  expect("round_prefer_floor", "asymmetric", 4, {1, 1, 2, 2});
  expect("round_prefer_ceil", "asymmetric", 4, {1, 2, 2, 2});
  expect("round_prefer_floor", "align_corners", 3, {1, 1, 2});
  expect("round_prefer_ceil", "align_corners", 3, {1, 2, 2});
  expect("floor", "pytorch_half_pixel", 1, {1});
}

TEST(Resize, SelectsElementsOfEveryType) {
  const Attributes attributes = {{"coordinate_transformation_mode", std::string("asymmetric")},
                                 {"nearest_mode", std::string("floor")}};
  for (const DType dtype : {DType::int8, DType::uint16, DType::int32, DType::int64, DType::float16, DType::bfloat16,
                            DType::float64, DType::boolean}) {
    expect_op({.op = "Resize",
               .inputs = {numbers(dtype, {1, 2, 2}, {1, 0, 0, 1}), kNone, floats({3}, {1, 2, 2})},
               .outputs = {numbers(dtype, {1, 4, 4}, {1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1})},
               .attributes = attributes});
  }
  expect_op({.op = "Resize",
             .inputs = {strings({2, 1}, {"a", "b"}), kNone, floats({2}, {1.5, 2})},
             .outputs = {strings({3, 2}, {"a", "a", "a", "a", "b", "b"})},
             .attributes = attributes});
}

TEST(Resize, RoundsAndSaturatesIntegers) {
  const auto expect = [](DType dtype, const std::vector<double>& in, const std::vector<double>& out,
                         const std::string& mode) {
    const auto size = static_cast<int64_t>(out.size());
    expect_op({.op = "Resize",
               .inputs = {numbers(dtype, {static_cast<int64_t>(in.size())}, in), kNone, kNone, integers({1}, {size})},
               .outputs = {numbers(dtype, {size}, out)},
               .attributes = {{"mode", mode}}});
  };
  // 0, 2.75, 8.25, 11 and 0.25, 0.5
  expect(DType::uint8, {0, 11}, {0, 3, 8, 11}, "linear");
  expect(DType::int64, {-2, 0}, {-2, -2, 0, 0}, "linear");  // -1.5, -0.5: halves to even
  // Keys' filter: -0.10546875 at 5/4 and -0.03515625 + 0.26171875 at 7/4 and 3/4.
  expect(DType::uint8, {0, 255}, {0, 58, 197, 255}, "cubic");
}

TEST(Resize, FiltersBeforeItShrinks) {
  // The triangle stretched by two, at -0.5 ... of each pair: 1/8, 3/8, 3/8, 1/8; edges repeat.
  expect_op({.op = "Resize",
             .inputs = {floats({4, 1}, {8, 16, 24, 64}), kNone, floats({2}, {0.5, 1})},
             .outputs = {floats({2, 1}, {(8 + 24 + 48 + 24) / 8.0F, (16 + 72 + 192 + 64) / 8.0F})},
             .attributes = {{"mode", std::string("linear")}, {"antialias", int64_t{1}}}});
  // Without the edges the rest is weighed anew: (3 * 8 + 3 * 16 + 24) / 7.
  expect_op(
      {.op = "Resize",
       .inputs = {floats({4}, {8, 16, 24, 64}), kNone, floats({1}, {0.5})},
       .outputs = {floats({2}, {96 / 7.0F, 280 / 7.0F})},
       .attributes = {{"mode", std::string("linear")}, {"antialias", int64_t{1}}, {"exclude_outside", int64_t{1}}},
       .relative = 1e-6});
}

TEST(Resize, CropsARegion) {
  const Tensor x = floats({1, 5}, {0, 1, 2, 3, 4});
  // Along axis 1 from 0.5 to 1.5 of 4: 2, 4, 6, the last outside.
  for (const DType dtype : {DType::float16, DType::float32, DType::float64}) {
    expect_op({.op = "Resize",
               .inputs = {x, numbers(dtype, {2}, {0.5, 1.5}), kNone, integers({1}, {3})},
               .outputs = {floats({1, 3}, {2, 4, 9})},
               .attributes = {{"mode", std::string("linear")},
                              {"coordinate_transformation_mode", std::string("tf_crop_and_resize")},
                              {"extrapolation_value", 9.0F},
                              {"axes", std::vector<int64_t>{-1}}}});
  }
  expect_op({.op = "Resize",
             .inputs = {x, floats({4}, {0, 0.25, 1, 0.75}), kNone, integers({2}, {1, 1})},
             .outputs = {floats({1, 1}, {2})},
             .attributes = {{"coordinate_transformation_mode", std::string("tf_crop_and_resize")}}});
}

TEST(Resize, KeepsTheAspectRatio) {
  const auto expect = [](const char* policy, const Shape& shape) {
    expect_op(
        {.op = "Resize",
         .inputs = {numbers(DType::float32, {2, 4}, {1, 1, 1, 1, 1, 1, 1, 1}), kNone, kNone, integers({2}, {5, 7})},
         .outputs = {numbers(DType::float32, shape, std::vector<double>(static_cast<size_t>(shape.elements()), 1))},
         .attributes = {{"keep_aspect_ratio_policy", std::string(policy)}, {"mode", std::string("linear")}}});
  };
  expect("not_larger", {4, 7});    // scale 1.75: 3.5 rounds up
  expect("not_smaller", {5, 10});  // scale 2.5
}

TEST(Resize, FollowsOlderVersions) {
  // Version 10: the lower neighbour of 0, 1/2, 1, 3/2, the upper one of 0, 5/3.
  expect_op({.op = "Resize",
             .inputs = {floats({2, 4}, {1, 2, 3, 4, 5, 6, 7, 8}), floats({2}, {2, 0.6F})},
             .outputs = {floats({4, 2}, {1, 3, 1, 3, 5, 7, 5, 7})},
             .opset = 10});
  // tf_half_pixel_for_nn: (x + 1/2) / 2.
  expect_op({.op = "Resize",
             .inputs = {floats({2}, {1, 2}), floats({0}, {}), floats({1}, {2})},
             .outputs = {floats({4}, {1, 1, 2, 2})},
             .attributes = {{"coordinate_transformation_mode", std::string("tf_half_pixel_for_nn")},
                            {"nearest_mode", std::string("floor")}},
             .opset = 11});
  // align_corners: the output's extent is 2 until version 18, 0.6 * 4 since 19.
  const Attributes corners = {{"mode", std::string("linear")},
                              {"coordinate_transformation_mode", std::string("align_corners")}};
  for (const auto& [opset, last] : {std::pair<int64_t, float>{13, 4.0F}, {18, 4.0F}, {19, 1 + 3 / 1.4F}}) {
    expect_op({.op = "Resize",
               .inputs = {floats({4}, {1, 2, 3, 4}), kNone, floats({1}, {0.6F})},
               .outputs = {floats({2}, {1, last})},
               .attributes = corners,
               .opset = opset,
               .relative = 1e-6});
  }
  // half_pixel_symmetric centres the two positions of 2.4: the middle stays the middle.
  expect_op({.op = "Resize",
             .inputs = {floats({4}, {1, 2, 3, 4}), kNone, floats({1}, {0.6F})},
             .outputs = {floats({2}, {2.5F - 0.5F / 0.6F, 2.5F + 0.5F / 0.6F})},
             .attributes = {{"mode", std::string("linear")},
                            {"coordinate_transformation_mode", std::string("half_pixel_symmetric")}},
             .relative = 1e-6});
}

TEST(Resize, TakesEmptyTensorsAndComplexNumbers) {
  expect_op({.op = "Resize",
             .inputs = {floats({0, 2}, {}), kNone, floats({2}, {2, 2})},
             .outputs = {floats({0, 4}, {})},
             .attributes = {{"mode", std::string("linear")}}});
  expect_op({.op = "Resize",
             .inputs = {floats({1, 2}, {1, 2}), kNone, kNone, integers({2}, {1, 0})},
             .outputs = {floats({1, 0}, {})}});
  const float in[] = {0, 4, 8, 0};
  const float out[] = {0, 4, 2, 3, 6, 1, 8, 0};
  expect_op({.op = "Resize",
             .inputs = {Tensor::of<float>(DType::complex64, {2}, std::span(in)), kNone, floats({1}, {2})},
             .outputs = {Tensor::of<float>(DType::complex64, {4}, std::span(out))},
             .attributes = {{"mode", std::string("linear")}}});
}

TEST(Resize, RefusesWhatDoesNotFit) {
  const Tensor x = floats({2}, {1, 2});
  const Value y = floats({2}, {1, 2});
  expect_op_error({.op = "Resize", .inputs = {x}, .outputs = {y}}, ErrorCode::invalid_model,
                  "neither scales nor sizes");
  expect_op_error({.op = "Resize", .inputs = {x, kNone, floats({1}, {2}), integers({1}, {4})}, .outputs = {y}},
                  ErrorCode::run_failed, "both");
  expect_op_error({.op = "Resize", .inputs = {x, kNone, floats({2}, {1, 2})}, .outputs = {y}}, ErrorCode::run_failed,
                  "scales has 2 elements, not 1");
  expect_op_error({.op = "Resize", .inputs = {x, kNone, floats({1}, {-1})}, .outputs = {y}}, ErrorCode::run_failed,
                  "scale cannot be -1");
  expect_op_error({.op = "Resize", .inputs = {floats({0}, {}), kNone, kNone, integers({1}, {2})}, .outputs = {y}},
                  ErrorCode::run_failed, "nothing to resize");
  expect_op_error({.op = "Resize",
                   .inputs = {strings({2}, {"a", "b"}), kNone, floats({1}, {2})},
                   .outputs = {strings({4}, {"", "", "", ""})},
                   .attributes = {{"mode", std::string("linear")}}},
                  ErrorCode::run_failed, "strings");
}

}  // namespace
}  // namespace onnxrun
